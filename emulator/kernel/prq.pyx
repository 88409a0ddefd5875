# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The interrupt thread of the page request queue, and draining it. Who writes which register stands in ``prq.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.histogram cimport hist_add, histogram
from cython_ext.mutex cimport *
from cython_ext.record_ring cimport *
from cython_ext.wait cimport *
from emulator.kernel.iopf cimport *
from emulator.kernel.iopf_queue cimport iopf_queue_discard_partial, iopf_queue_flush_dev
from emulator.kernel.qi cimport qi_flush_dev_iotlb, qi_page_grp_resp
from emulator.spec.board cimport *
from emulator.spec.sites cimport *
from emulator.spec.vtd cimport *

cdef enum:
    IDLE_NS = 400000000      # heartbeat of a sleeping process
    WORK_PASSES = 0          # actor.work: passes, records, spurious interrupts, bad records
    WORK_RECORDS = 1
    WORK_SPURIOUS = 2
    WORK_BAD = 3
    WORK_EXECUTE = 5         # refused because they ask to execute


cdef void prq_ring(view *v, ring_end *ring) noexcept nogil:
    ring_attach(ring, &v.board.iommu.prq, view_region(v, OFF_PRQ_RECORDS), v.cfg.prq_records, PRQ_RECORD_BYTES)


cdef bint record_bad(uint64_t *rec) noexcept nogil:
    """What the driver refuses before it looks for the device: reserved bits, address, privilege, execute."""
    return (not prq_reserved_ok(rec[0], rec[2], rec[3]) or not address_canonical(prq_address(rec[1]))
            or (prq_privileged(rec[0]) and prq_rw(rec[1]) != 0) or (prq_execute(rec[0]) and rec[1] & PRI_READ))


cdef void handle_bad_prq_event(view *v, uint64_t *rec, uint64_t uid, uint32_t dev) noexcept nogil:
    """Answers INVALID when the request was the last of its group, and forgets it."""
    v.self.work[WORK_BAD] += 1
    if dev < v.cfg.devices:
        v.devices[dev].kern.rejected += 1
        kern_fate(v, dev, rec[1], uid, FATE_REJECTED)
    if prq_last(rec[1]):
        qi_page_grp_resp(v, prq_rid(rec[0]), prq_pasid(rec[0]), prq_pasid_present(rec[0]), prq_prgi(rec[1]), RESP_INVALID)


cdef void handle_record(view *v, uint64_t *rec, prq_note *note, uint64_t now) noexcept nogil:
    cdef fault_event evt
    cdef uint32_t dev = prq_rid(rec[0]) - RID_BASE, noted = <uint32_t>note.device
    cdef histogram *hist = stage_hist(v, v.self.slot, STAGE_QUEUE)
    v.self.work[WORK_RECORDS] += 1
    if note.hw_ticks and now > note.hw_ticks:
        hist_add(hist, crew_ticks_ns(v.crew, now - note.hw_ticks))
    if dev >= v.cfg.devices:
        # A requester id that no function has: nothing but the note beside the record can say whose request it was.
        if noted < v.cfg.devices:
            v.devices[noted].kern.popped += 1
        if not prq_stop_marker(rec[1]):
            handle_bad_prq_event(v, rec, note.uid, noted)
        return
    v.devices[dev].kern.popped += 1
    if prq_stop_marker(rec[1]):
        v.devices[dev].kern.markers += 1
        return
    if record_bad(rec):
        v.self.work[WORK_EXECUTE] += prq_execute(rec[0])
        handle_bad_prq_event(v, rec, note.uid, dev)
        return
    evt.qw0 = rec[0]
    evt.qw1 = rec[1]
    evt.uid = note.uid
    evt.irq_ticks = now
    # iopf_lock pins the device from lookup to the end of the report (def054b01a86).
    mutex_lock(v.self, &v.board.iommu.iopf_lock, PRQ_EVENT_THREAD)
    if v.devices[dev].registered:
        iommu_report_device_fault(v, dev, &evt)
        mutex_unlock(v.self, &v.board.iommu.iopf_lock, PRQ_EVENT_THREAD)
    else:
        mutex_unlock(v.self, &v.board.iommu.iopf_lock, PRQ_EVENT_THREAD)
        handle_bad_prq_event(v, rec, note.uid, dev)


cdef void handle_overflow(view *v, ring_end *ring) noexcept nogil:
    """PRO is up: only a queue that is empty now lets it be cleared, after the partials are gone."""
    v.board.iommu.overflow_passes += 1
    if ring_head(v.self, ring, PRQ_OVERFLOW) != ring_tail(v.self, ring, PRQ_OVERFLOW):
        return
    iopf_queue_discard_partial(v)
    note_event(v, crew_ticks(v.crew), PRQ_OVERFLOW, v.board.iommu.overflows, 0)
    point(v.self, PRQ_OVERFLOW << 8 | OP_REG_WRITE, &v.board.iommu.prs, ACC_RMW)
    and_32(&v.board.iommu.prs, ~<uint32_t>PRS_PRO)


cdef bint prq_event_thread(view *v) noexcept nogil:
    """One pass over the queue; true when there was anything to do."""
    cdef iommu_regs *regs = &v.board.iommu
    cdef ring_end ring
    cdef uint64_t head, tail, now
    cdef prq_note *notes = <prq_note *>view_region(v, OFF_PRQ_NOTES)
    cdef bint any_work
    cdef uint32_t n = 0
    prq_ring(v, &ring)
    point(v.self, PRQ_EVENT_THREAD << 8 | OP_REG_WRITE, &regs.prs, ACC_RMW)
    if ld32_rlx(&regs.prs) & PRS_PPR:
        and_32(&regs.prs, ~<uint32_t>PRS_PPR)
    tail = ring_tail(v.self, &ring, PRQ_EVENT_THREAD)
    head = ring_head(v.self, &ring, PRQ_EVENT_THREAD)
    any_work = head != tail
    now = crew_ticks(v.crew)
    while head != tail:
        if n & 7 == 7:
            now = crew_ticks(v.crew)
            v.self.heartbeat += 1
        handle_record(v, ring_record(&ring, head), notes + head // PRQ_RECORD_BYTES, now)
        head = ring_advance(&ring, head)
        n += 1
    if n:
        st64_rlx(&regs.prq_records_popped, regs.prq_records_popped + n)
        ring_consume(v.self, &ring, head, PRQ_EVENT_THREAD)
    if ld32_acq(&regs.prs) & PRS_PRO:
        any_work = True
        handle_overflow(v, &ring)
    st64_rel(&regs.prq_passes, regs.prq_passes + 1)
    ec_notify(v.self, &regs.prq_complete, 0x7FFFFFFF, PRQ_EVENT_THREAD)
    v.self.work[WORK_PASSES] += 1
    return any_work


cdef bint interrupt_pending(view *v) noexcept nogil:
    return (ld32_acq(&v.board.iommu.pectl) & PECTL_IP) != 0


cdef int irq_main(view *v) noexcept nogil:
    """Runs until PHASE_ENDING. A pass for each interrupt; sleeps on the actor's bell in between."""
    cdef waiter w
    cdef uint32_t key
    cdef bint pending
    waiter_reset(&w)
    while True:
        v.self.heartbeat += 1
        if interrupt_pending(v) or ld32_acq(&v.board.iommu.prs) & PRS_PRO:
            # The message is taken before the pass, so that an interrupt raised during the pass is not lost.
            pending = and_32(&v.board.iommu.pectl, ~<uint32_t>PECTL_IP) & PECTL_IP
            if prq_event_thread(v):
                waiter_reset(&w)
                continue
            if pending:
                v.self.work[WORK_SPURIOUS] += 1
        if waiter_spin(v.self, &w):
            continue
        rcu_reap(v)
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            return 0
        key = ec_prepare(v.self, bell_of(v.self), PRQ_IDLE)
        if interrupt_pending(v) or ld32_acq(&v.board.phase) >= PHASE_ENDING:
            ec_cancel(v.self, bell_of(v.self), key)
            continue
        if waiter_sleep(v.self, bell_of(v.self), key, IDLE_NS, PRQ_IDLE, &w) and interrupt_pending(v):
            wake_lost(v.self, bell_of(v.self), PRQ_IDLE)


cdef bint queued_for(view *v, ring_end *ring, uint32_t rid, uint32_t pasid) noexcept nogil:
    """Whether a record of (rid, PASID) lies between head and tail now."""
    cdef uint64_t tail = ring_tail(v.self, ring, DRAIN_PASID_PRQ)
    cdef uint64_t head = ring_head(v.self, ring, DRAIN_PASID_PRQ)
    cdef uint64_t *rec
    while head != tail:
        rec = ring_record(ring, head)
        if prq_rid(rec[0]) == rid and prq_pasid(rec[0]) == pasid:
            return True
        head = ring_advance(ring, head)
    return False


cdef void wait_pass(view *v, uint64_t seen) noexcept nogil:
    """Waits until the IRQ thread has finished a pass after the one counted in ``seen``."""
    cdef waiter w
    cdef uint32_t key
    waiter_reset(&w)
    while ld64_acq(&v.board.iommu.prq_passes) <= seen:
        if waiter_spin(v.self, &w):
            continue
        key = ec_prepare(v.self, &v.board.iommu.prq_complete, DRAIN_PASID_PRQ)
        if ld64_acq(&v.board.iommu.prq_passes) > seen:
            ec_cancel(v.self, &v.board.iommu.prq_complete, key)
            return
        ec_sleep(v.self, &v.board.iommu.prq_complete, key, IDLE_NS, DRAIN_PASID_PRQ)


cdef void intel_iommu_drain_pasid_prq(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """Returns when no request of (device, PASID) is anywhere between the function and the end of its handling (spec 7.10).

    Contract: the PASID entry is clear and the device has stopped the PASID. Queue scan, flush of the work ring, then fence, device-TLB
    invalidation and wait with drain; once more when the queue overflowed meanwhile, since an automatic answer may be in flight.
    """
    cdef ring_end ring
    cdef uint64_t seen
    cdef uint32_t rid = v.devices[dev].rid
    if v.devices[dev].iopf_refcount == 0:
        return
    prq_ring(v, &ring)
    while True:
        seen = ld64_acq(&v.board.iommu.prq_passes)
        if not queued_for(v, &ring, rid, pasid):
            break
        wait_pass(v, seen)
    iopf_queue_flush_dev(v, dev)
    while True:
        seen = ld64_acq(&v.board.iommu.prq_passes)
        qi_flush_dev_iotlb(v, rid, pasid, True)
        if not ld32_acq(&v.board.iommu.prs) & PRS_PRO:
            break
        wait_pass(v, seen)
