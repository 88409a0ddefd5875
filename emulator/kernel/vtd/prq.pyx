# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The interrupt thread of the page request queue. Which side writes which register: see ``prq.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.histogram cimport hist_add
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport pool_deref
from iopf.cython_ext.record_ring cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.kernel.core.fault_param cimport rcu_reap
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.queue cimport iopf_queue_discard_partial
from iopf.emulator.kernel.core.response cimport kern_fate
from iopf.emulator.kernel.vtd.prq_defects cimport *
from iopf.emulator.kernel.vtd.prq_wait cimport prq_ring
from iopf.emulator.kernel.vtd.qi cimport qi_page_grp_resp, qi_page_resp_private
from iopf.emulator.kernel.core.report cimport *
from iopf.emulator.board.board cimport note_event, view, view_region
from iopf.emulator.spec.classes cimport POOL_PARAM
from iopf.emulator.board.config cimport OPTION_EARLY_PRIVATE, OPTION_PRIVATE_DATA, QUEUES_GLOBAL
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.flow cimport wait_held
from iopf.emulator.board.iommus cimport iommu_regs, prq_note, unit_regs
from iopf.emulator.board.latency cimport STAGE_QUEUE, stage_hist
from iopf.emulator.board.layout cimport OFF_PRQ_NOTES
from iopf.emulator.board.ledger cimport FATE_REJECTED
from iopf.emulator.spec.program cimport HOLD_IRQ
from iopf.emulator.board.queues cimport queue_at
from iopf.emulator.spec.roles cimport PHASE_ENDING
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.vtd cimport *
from iopf.emulator.spec.errno cimport ENOMEM

cdef enum:
    WORK_PASSES = 0          # actor.work: passes, records, spurious interrupts, bad records
    WORK_RECORDS = 1
    WORK_SPURIOUS = 2
    WORK_BAD = 3
    WORK_EXECUTE = 5         # refused because they ask to execute


cdef bint record_bad(view *v, uint64_t *rec) noexcept nogil:
    """What the driver refuses before it looks for the device: reserved bits, address, privilege, execute; until v6.12 also a request
    without PASID (9f831c16c69e)."""
    cdef bint private = v.cfg.options & OPTION_PRIVATE_DATA and prq_private(rec[0])
    if flow_of(v).refuses_rid and not prq_pasid_present(rec[0]):
        return True
    if not prq_reserved_ok(rec[0] & ~(<uint64_t>private << 9), 0 if private else rec[2], 0 if private else rec[3]):
        return True
    return (not address_canonical(pri_address(rec[1]))
            or (prq_privileged(rec[0]) and pri_rw(rec[1]) != 0) or (prq_execute(rec[0]) and rec[1] & PRI_READ))


cdef void fill_fault(uint64_t *rec, uint32_t dev, uint64_t uid, uint64_t stamp, iommu_fault *fault) noexcept nogil:
    """The request of a record (intel_prq_report)."""
    cdef uint32_t flags = 0, pasid = 0, perm = pri_rw(rec[1])  # PRI_READ and PRI_WRITE are the bits of IOMMU_FAULT_PERM
    if prq_pasid_present(rec[0]):
        flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID | IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID
        pasid = prq_pasid(rec[0])
    if pri_last(rec[1]):
        flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE
    if prq_private(rec[0]):
        flags |= IOMMU_FAULT_PAGE_REQUEST_PRIV_DATA
    perm |= IOMMU_FAULT_PERM_EXEC if prq_execute(rec[0]) else 0
    perm |= IOMMU_FAULT_PERM_PRIV if prq_privileged(rec[0]) else 0
    fault.type = IOMMU_FAULT_PAGE_REQ
    fault.flags = flags
    fault.pasid = pasid
    fault.grpid = pri_prgi(rec[1])
    fault.perm = perm
    fault.device = dev
    fault.addr = pri_address(rec[1])
    fault.uid = uid
    fault.stamp = stamp


cdef void handle_bad_prq_event(view *v, uint32_t unit, uint64_t *rec, uint64_t uid, uint32_t dev) noexcept nogil:
    """Answers INVALID when the request was the last of its group, and forgets it."""
    cdef iommu_fault fault
    v.self.work[WORK_BAD] += 1
    if dev < v.cfg.devices:
        fill_fault(rec, dev, uid, 0, &fault)
        xadd64_rlx(&v.devices[dev].kern.rejected, 1)
        kern_fate(v, &fault, FATE_REJECTED)
    if pri_last(rec[1]):
        qi_page_grp_resp(v, unit, prq_rid(rec[0]), prq_pasid(rec[0]), prq_pasid_present(rec[0]), pri_prgi(rec[1]),
                         RESP_INVALID, uid)


cdef void driver_answers(view *v, uint32_t unit, uint64_t *rec, uint64_t uid, uint32_t dev, int error) noexcept nogil:
    """Until v6.8 an error of the report is the driver's to answer. A request without memory that is not the last is in the books."""
    if not flow_of(v).driver_answers or (error == ENOMEM and not pri_last(rec[1])):
        return
    handle_bad_prq_event(v, unit, rec, uid, dev)


cdef void report_record(view *v, uint32_t unit, uint64_t *rec, iommu_fault *fault) noexcept nogil:
    """iopf_lock pins the device from lookup to the end of the report (def054b01a86)."""
    cdef iommu_regs *regs = unit_regs(v, unit)
    cdef uint32_t dev = fault.device
    cdef int ret
    mutex_lock(v.self, &regs.iopf_lock, PRQ_EVENT_THREAD)
    if not v.devices[dev].registered:
        mutex_unlock(v.self, &regs.iopf_lock, PRQ_EVENT_THREAD)
        handle_bad_prq_event(v, unit, rec, fault.uid, dev)
        return
    ret = iommu_report_device_fault(v, dev, fault)
    mutex_unlock(v.self, &regs.iopf_lock, PRQ_EVENT_THREAD)
    if v.cfg.options & OPTION_EARLY_PRIVATE and ret == 0 and prq_private(rec[0]) and not pri_last(rec[1]):
        # What the drivers of v5.14 to v6.8 did for such hardware: the function gets its data back, the page comes with the group.
        qi_page_resp_private(v, unit, rec, RESP_SUCCESS)
    if ret != 0:
        driver_answers(v, unit, rec, fault.uid, dev, ret)


cdef void handle_record(view *v, uint32_t unit, uint64_t *rec, prq_note *note, uint64_t now) noexcept nogil:
    cdef iommu_fault fault
    cdef uint32_t dev = prq_rid(rec[0]) - RID_BASE, noted = <uint32_t>note.device
    v.self.work[WORK_RECORDS] += 1
    if note.hw_ticks and now > note.hw_ticks:
        hist_add(stage_hist(v, v.self.slot, STAGE_QUEUE), crew_ticks_ns(v.crew, now - note.hw_ticks))
    if dev >= v.cfg.devices:
        # A requester id that no function has: only the note beside the record says whose request it was.
        if noted < v.cfg.devices:
            v.devices[noted].kern.popped += 1
        if not pri_stop_marker(rec[1]):
            handle_bad_prq_event(v, unit, rec, note.uid, noted)
        return
    v.devices[dev].kern.popped += 1
    if pri_stop_marker(rec[1]):
        v.devices[dev].kern.markers += 1
        return
    if record_bad(v, rec) or defect(v, DEFECT_REQUESTER_ID_UNSET):
        v.self.work[WORK_EXECUTE] += prq_execute(rec[0])
        handle_bad_prq_event(v, unit, rec, note.uid, dev)
        return
    fill_fault(rec, dev, note.uid, stamp_of(now, note.device >> 32), &fault)
    if defect(v, DEFECT_DEVICE_RELEASE_VS_REPORT):
        report_unpinned(v, unit, rec, &fault)
    else:
        report_record(v, unit, rec, &fault)


cdef void report_unpinned(view *v, uint32_t unit, uint64_t *rec, iommu_fault *fault) noexcept nogil:
    """Before def054b01a86: nothing keeps the device between its lookup and the report; what it had may be gone by then."""
    cdef uint32_t dev = fault.device
    cdef uint64_t param
    point(v.self, PRQ_EVENT_THREAD << 8 | OP_FIELD_READ, &v.devices[dev].registered, ACC_READ)
    if not ld32_acq(&v.devices[dev].registered):
        handle_bad_prq_event(v, unit, rec, fault.uid, dev)
        return
    param = read64(v.self, &v.devices[dev].fault_param, PRQ_EVENT_THREAD)
    if param == 0 or pool_deref(v.self, v.pools[POOL_PARAM], param, PRQ_EVENT_THREAD) != NULL:
        iommu_report_device_fault(v, dev, fault)


cdef void discard_unit(view *v, uint32_t unit) noexcept nogil:
    """The partials of every queue that this IOMMU's devices are on."""
    cdef uint32_t queue
    for queue in range(v.cfg.queues):
        if not queue_at(v, queue).used:
            continue
        if v.cfg.queue_mode == QUEUES_GLOBAL or queue % v.cfg.units == unit:
            iopf_queue_discard_partial(v, queue)


cdef void handle_overflow(view *v, uint32_t unit, ring_end *ring) noexcept nogil:
    """PRO is up: only a queue that is empty now lets it be cleared, after the partials are gone."""
    cdef iommu_regs *regs = unit_regs(v, unit)
    regs.overflow_passes += 1
    if ring_head(v.self, ring, PRQ_OVERFLOW) != ring_tail(v.self, ring, PRQ_OVERFLOW):
        if defect(v, DEFECT_PRO_CLEARED_UNCONDITIONALLY):
            clear_overflow(v, regs)
        return
    if not defect(v, DEFECT_OVERFLOW_KEEPS_PARTIALS):
        discard_unit(v, unit)
    note_event(v, crew_ticks(v.crew), PRQ_OVERFLOW, read64(v.self, &regs.overflows, PRQ_OVERFLOW), 0)
    if not defect(v, DEFECT_OVERFLOW_NOT_ACKNOWLEDGED):  # else the thread has noted the overflow for itself and goes to sleep
        clear_overflow(v, regs)


cdef void clear_overflow(view *v, iommu_regs *regs) noexcept nogil:
    """Write 1 to clear."""
    point(v.self, PRQ_OVERFLOW << 8 | OP_REG_WRITE, &regs.prs, ACC_RMW)
    and_32(&regs.prs, ~<uint32_t>PRS_PRO)


cdef bint prq_event_thread(view *v, uint32_t unit) noexcept nogil:
    """One pass over the queue; true when there was anything to do."""
    cdef iommu_regs *regs = unit_regs(v, unit)
    cdef ring_end ring
    cdef uint64_t head, tail, now
    cdef prq_note *notes = <prq_note *>view_region(v, OFF_PRQ_NOTES) + <uint64_t>unit * v.cfg.prq_records
    cdef bint any_work
    cdef prq_early early
    cdef uint32_t n = 0
    prq_ring(v, unit, &ring)
    if read32(v.self, &regs.prs, PRQ_EVENT_THREAD) & PRS_PPR and not defect(v, DEFECT_PPR_NOT_CLEARED):
        and32(v.self, &regs.prs, ~<uint32_t>PRS_PPR, PRQ_EVENT_THREAD)
    before_tail(v, &ring, &early)
    tail = ring_tail(v.self, &ring, PRQ_EVENT_THREAD)
    head = ring_head(v.self, &ring, PRQ_EVENT_THREAD)
    note_tail(v, regs, tail)
    any_work = head != tail
    now = crew_ticks(v.crew)
    while head != tail:
        if n & 7 == 7:
            now = crew_ticks(v.crew)
            v.self.heartbeat += 1
        handle_record(v, unit, record_of(&early, &ring, head, n), notes + head // PRQ_RECORD_BYTES, now)
        head = ring_advance(&ring, head)
        n += 1
    if n:
        st64_rlx(&regs.prq_records_popped, regs.prq_records_popped + n)
        ring_consume(v.self, &ring, head_written(v, &ring, head), PRQ_EVENT_THREAD)
    if read32(v.self, &regs.prs, PRQ_EVENT_THREAD) & PRS_PRO:
        any_work = True
        handle_overflow(v, unit, &ring)
    write64(v.self, &regs.prq_passes, regs.prq_passes + 1, PRQ_EVENT_THREAD)
    complete_once(v, regs)
    ec_notify(v.self, &regs.prq_complete, 0x7FFFFFFF, PRQ_EVENT_THREAD)
    v.self.work[WORK_PASSES] += 1
    return any_work


cdef bint interrupt_pending(view *v, iommu_regs *regs) noexcept nogil:
    return (read32(v.self, &regs.pectl, PRQ_IDLE) & PECTL_IP) != 0


cdef bint overflow_pending(view *v, iommu_regs *regs) noexcept nogil:
    return (read32(v.self, &regs.prs, PRQ_IDLE) & PRS_PRO) != 0 and not defect(v, DEFECT_OVERFLOW_NOT_ACKNOWLEDGED)


cdef struct irq_wait:
    view *v
    iommu_regs *regs


cdef uint64_t irq_owed(void *arg) noexcept nogil:
    cdef irq_wait *i = <irq_wait *>arg
    return interrupt_pending(i.v, i.regs) or ld32_acq(&i.v.board.phase) >= PHASE_ENDING


cdef int irq_main(view *v, uint32_t unit) noexcept nogil:
    """Runs until PHASE_ENDING. A pass for each interrupt; sleeps on the actor's bell in between."""
    cdef iommu_regs *regs = unit_regs(v, unit)
    cdef irq_wait i
    cdef waiter w
    cdef bint pending
    i.v, i.regs = v, regs
    waiter_reset(&w)
    while True:
        v.self.heartbeat += 1
        if interrupt_pending(v, regs) or overflow_pending(v, regs):
            # The message is taken before the pass, so that an interrupt raised during the pass is not lost.
            pending = and32(v.self, &regs.pectl, ~<uint32_t>PECTL_IP, PRQ_IDLE) & PECTL_IP
            if iopf_unlikely(read32(v.self, &v.board.hold, HELD) & HOLD_IRQ):
                wait_held(v, HOLD_IRQ)
            if prq_event_thread(v, unit):
                waiter_reset(&w)
                continue
            if pending:
                v.self.work[WORK_SPURIOUS] += 1
        if waiter_spin(v.self, &w):
            continue
        rcu_reap(v)
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            return 0
        wait_work(v.self, bell_of(v.self), irq_owed, irq_owed, &i, NULL, PRQ_IDLE, &w)
