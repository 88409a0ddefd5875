# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The decision table, the page request queue and the command queue of VT-d. Rules and order stand in ``vtd.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from cython_ext.access cimport *
from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.histogram cimport hist_add
from cython_ext.link cimport *
from cython_ext.record_ring cimport *
from cython_ext.wait cimport *
from emulator.spec.board cimport note_event, private_alloc, view, view_region
from emulator.spec.config cimport OPTION_PRIVATE_DATA
from emulator.spec.devices cimport device, hwside
from emulator.spec.iommus cimport irq_slot, prq_note, qi_note, unit_of, unit_regs
from emulator.spec.latency cimport STAGE_COMMAND, STAGE_LINK, stage_hist
from emulator.spec.layout cimport OFF_LEDGER_HW, OFF_PRQ_NOTES, OFF_PRQ_RECORDS, OFF_QI_NOTES, OFF_QI_RECORDS
from emulator.spec.ledger cimport *
from emulator.spec.links cimport *
from emulator.spec.pasid_table cimport PTE_PRESENT, PTE_QUIET, pasid_table
from emulator.spec.roles cimport PHASE_ENDING
from emulator.spec.sites cimport *
from emulator.spec.vtd cimport *

cdef enum:
    IDLE_NS = 400000000
    BURST = 64               # requests taken from one link before the next is served
    COMMANDS = 64            # commands executed before the links are served again


cdef void mark_dirty(unit *u, uint32_t dev) noexcept nogil:
    if not u.is_dirty[dev]:
        u.is_dirty[dev] = 1
        u.dirty[u.dirty_count] = dev
        u.dirty_count += 1


cdef void hw_fate(unit *u, uint32_t dev, uint64_t *rec, uint32_t fate) noexcept nogil:
    write32(u.v.self, ledger(u.v, OFF_LEDGER_HW, dev, prq_prgi(rec[1]), rec[2]), ledger_word(rec[2], fate), HW_REQUEST)


cdef bint send_response(unit *u, uint32_t dev, uint32_t pasid, bint pp, uint32_t prgi, uint32_t code, bint auto_response,
                        uint64_t submit_ticks) noexcept nogil:
    """A PRG Response towards the function; lost when the function is gone or has let its link fill up."""
    cdef uint64_t *slot = NULL
    if not u.gone[dev]:
        slot = link_room(u.v.self, &u.down[dev], HW_RESPOND)
    if slot == NULL:
        if u.gone[dev] or auto_response:
            u.v.devices[dev].hw.responses_lost += 1
        return False
    slot[0] = DOWN_RESPONSE | <uint64_t>(code & 15) << 8 | <uint64_t>pp << 12 | <uint64_t>(prgi & 511) << 16 | <uint64_t>pasid << 32
    slot[1] = auto_response
    slot[2] = submit_ticks
    slot[3] = u.ticks
    link_filled(&u.down[dev])
    u.v.devices[dev].hw.responses += 1
    mark_dirty(u, dev)
    return True


cdef bint send_early_response(unit *u, uint32_t dev, uint64_t *rec) noexcept nogil:
    """The answer of one request with private data, which comes back as it was sent; the group's own answer is still to come."""
    cdef uint64_t *slot
    if u.gone[dev]:
        return True
    slot = link_room(u.v.self, &u.down[dev], HW_RESPOND)
    if slot == NULL:
        return False
    slot[0] = DOWN_EARLY | <uint64_t>prq_prgi(rec[1]) << 16
    slot[1] = 0
    slot[2] = rec[2]
    slot[3] = u.ticks
    link_filled(&u.down[dev])
    mark_dirty(u, dev)
    return True


cdef void flush_responses(unit *u) noexcept nogil:
    """Publishes what was written to the downlinks, and rings each function once."""
    cdef uint32_t i, dev
    for i in range(u.dirty_count):
        dev = u.dirty[i]
        u.is_dirty[dev] = 0
        link_publish(u.v.self, &u.down[dev], HW_RESPOND)
        bell_ring(u.v.self, crew_actor(u.v.crew, u.v.devices[dev].actor), HW_RESPOND)
    u.dirty_count = 0


cdef void raise_event(unit *u, uint32_t bit) noexcept nogil:
    """Sets a status bit; the interrupt goes out only on the change from both clear."""
    cdef uint32_t old
    old = or32(u.v.self, &u.regs.prs, bit, HW_PRS)
    if old & (PRS_PPR | PRS_PRO):
        return
    u.regs.interrupts += 1
    or32(u.v.self, &u.regs.pectl, PECTL_IP, HW_PRS)
    bell_ring(u.v.self, crew_actor(u.v.crew, irq_slot(u.v, u.index)), HW_INTERRUPT)


cdef void publish_records(unit *u) noexcept nogil:
    cdef uint64_t used
    if u.prq_published == u.prq_tail:
        return
    ring_publish(u.v.self, &u.prq, u.prq_tail, HW_PRQ_WRITE)
    u.prq_published = u.prq_tail
    u.prq_head = ring_head(u.v.self, &u.prq, HW_PRQ_WRITE)
    used = ring_used(&u.prq, u.prq_head, u.prq_tail)
    if used > u.regs.prq_hwm:
        u.regs.prq_hwm = used
    raise_event(u, PRS_PPR)


cdef bint queue_full(unit *u) noexcept nogil:
    cdef uint64_t after = ring_advance(&u.prq, u.prq_tail)
    if after != u.prq_head:
        return False
    publish_records(u)
    u.prq_head = ring_head(u.v.self, &u.prq, HW_PRQ_WRITE)
    return after == u.prq_head


cdef void refuse(unit *u, uint32_t dev, uint64_t *rec, uint32_t pasid, bint pp, bint quiet) noexcept nogil:
    """Tables say no: Invalid for a last request, silence for another."""
    cdef hwside *hw = &u.v.devices[dev].hw
    if not quiet:
        u.regs.fault_log += 1
    if rec[1] & PRI_LAST:
        hw.auto_invalid += 1
        hw_fate(u, dev, rec, FATE_AUTO_INVALID)
        send_response(u, dev, pasid, pp, prq_prgi(rec[1]), RESP_INVALID, True, u.ticks)
    else:
        hw.drop_refused += 1
        hw_fate(u, dev, rec, FATE_DROP_REFUSED)


cdef void lose(unit *u, uint32_t dev, uint64_t *rec, uint32_t pasid, bint pp) noexcept nogil:
    """Overflow: Success for a last request, silence for another."""
    cdef hwside *hw = &u.v.devices[dev].hw
    if rec[1] & PRI_LAST:
        hw.auto_success += 1
        hw_fate(u, dev, rec, FATE_AUTO_SUCCESS)
        send_response(u, dev, pasid, pp, prq_prgi(rec[1]), RESP_SUCCESS, True, u.ticks)
    else:
        hw.drop_overflow += 1
        hw_fate(u, dev, rec, FATE_DROP_OVERFLOW)


cdef void write_record(unit *u, uint32_t dev, uint64_t *rec, uint32_t pasid, bint pp, uint64_t entry) noexcept nogil:
    cdef uint64_t *to = ring_record(&u.prq, u.prq_tail)
    cdef prq_note *note = u.notes + u.prq_tail // PRQ_RECORD_BYTES
    cdef uint64_t qw0 = prq_qw0(u.v.devices[dev].rid, pasid, pp, (rec[0] >> 9) & 1, (rec[0] >> 10) & 1)
    to[1] = rec[1]
    to[2] = 0
    to[3] = 0
    if (rec[0] >> 11) & 1 and u.v.cfg.options & OPTION_PRIVATE_DATA:
        qw0 |= <uint64_t>1 << 9
        to[2] = rec[2]  # the function names its request, and finds it by that name in the answer
    write64(u.v.self, &to[0], qw0, HW_PRQ_WRITE)  # a drain may be looking for it
    note.uid = rec[2]
    note.sent_ticks = rec[3]
    note.hw_ticks = u.ticks
    note.device = dev | entry & <uint64_t>0xFFFFFFFF00000000
    u.prq_tail = ring_advance(&u.prq, u.prq_tail)


cdef void take_request(unit *u, uint32_t dev, uint64_t *rec) noexcept nogil:
    """One Page Request message through the decision table."""
    cdef view *v = u.v
    cdef device *d = &v.devices[dev]
    cdef uint32_t pasid = <uint32_t>(rec[0] >> 32) & 0xFFFFF
    cdef bint pp = (rec[0] >> 8) & 1
    cdef uint64_t entry = 0
    d.hw.received += 1
    if u.gone[dev]:
        d.hw.link_down += 1
        hw_fate(u, dev, rec, FATE_LINK_DOWN)
        return
    if rec[3] and u.ticks > rec[3]:
        hist_add(stage_hist(v, v.self.slot, STAGE_LINK), crew_ticks_ns(v.crew, u.ticks - rec[3]))
    if pasid < v.cfg.max_pasids and (pp or pasid == 0):  # entry 0 is the one of requests without PASID
        entry = read64(v.self, &pasid_table(v, dev)[pasid], HW_PASID_ENTRY)
    if not read32(v.self, &d.pre, HW_PASID_ENTRY) or entry & (PTE_PRESENT | PTE_QUIET) != PTE_PRESENT:
        refuse(u, dev, rec, pasid, pp, (entry & PTE_QUIET) != 0)
        return
    if read32(u.v.self, &u.regs.prs, HW_PRS) & PRS_PRO:
        lose(u, dev, rec, pasid, pp)
        return
    if queue_full(u):
        lose(u, dev, rec, pasid, pp)
        write64(v.self, &u.regs.overflows, u.regs.overflows + 1, HW_PRS)
        note_event(v, u.ticks, HW_PRS, rec[2], <uint64_t>dev << 32 | PRS_PRO)
        raise_event(u, PRS_PRO)
        return
    d.hw.enqueued += 1
    hw_fate(u, dev, rec, FATE_ENQUEUED)
    write_record(u, dev, rec, pasid, pp, entry)


cdef void take_marker(unit *u, uint32_t dev, uint64_t *rec) noexcept nogil:
    u.v.devices[dev].hw.markers += 1
    if u.gone[dev] or read32(u.v.self, &u.regs.prs, HW_PRS) & PRS_PRO or queue_full(u):
        return
    rec[1] = PRI_LAST
    write_record(u, dev, rec, <uint32_t>(rec[0] >> 32) & 0xFFFFF, (rec[0] >> 8) & 1, 0)


cdef void end_invalidation(unit *u, uint32_t dev) noexcept nogil:
    if u.pending[dev] == 0:
        return
    u.pending[dev] -= 1
    u.pending_total -= 1
    u.v.devices[dev].hw.invalidations_done += 1


cdef uint32_t serve_link(unit *u, uint32_t dev, uint32_t most) noexcept nogil:
    """Takes up to ``most`` messages of one function; returns how many. The caller gives their slots back (``link_consume``)."""
    cdef uint64_t *rec
    cdef uint32_t n = 0, kind
    while n < most:
        rec = link_next(u.v.self, &u.up[dev], HW_REQUEST)
        if rec == NULL:
            break
        if n & 15 == 0:
            u.ticks = crew_ticks(u.v.crew)
        kind = <uint32_t>rec[0] & 0xFF
        if kind == UP_REQUEST and (rec[1] & 7) != PRI_LAST:
            take_request(u, dev, rec)
        elif kind == UP_MARKER or kind == UP_REQUEST:
            take_marker(u, dev, rec)
        elif kind == UP_INVALIDATED:
            end_invalidation(u, dev)
        else:
            u.v.devices[dev].hw.malformed += 1
        link_taken(&u.up[dev])
        n += 1
    return n


cdef void link_down(unit *u, uint32_t dev) noexcept nogil:
    """The function is gone: what it had sent is lost with its link, and invalidations of it end with an error."""
    u.gone[dev] = 1
    u.regs.inval_errors += u.pending[dev]
    u.pending_total -= u.pending[dev]
    u.pending[dev] = 0
    serve_link(u, dev, UP_SLOTS)
    link_consume(u.v.self, &u.up[dev], HW_REQUEST)


cdef uint32_t serve_links(unit *u, uint32_t most) noexcept nogil:
    cdef uint32_t i, dev, n = 0
    for i in range(u.devices):
        dev = u.index + i * u.v.cfg.units
        if iopf_unlikely(not u.gone[dev] and not read32(u.v.self, &u.v.devices[dev].link_up, HW_REQUEST)):
            link_down(u, dev)
        if link_waiting(u.v.self, &u.up[dev], HW_REQUEST):
            n += serve_link(u, dev, most)
    publish_records(u)
    if n:
        flush_responses(u)
        # Last: whoever sees a request taken can see what became of it (``settled``).
        for i in range(u.devices):
            link_consume(u.v.self, &u.up[u.index + i * u.v.cfg.units], HW_REQUEST)
    return n


cdef bint send_invalidation(unit *u, uint32_t dev, uint64_t qw0, uint64_t qw1) noexcept nogil:
    """Towards the function; false when its link has no room now (the command waits)."""
    cdef uint64_t *slot
    if u.gone[dev]:
        u.regs.inval_errors += 1
        return True
    slot = link_room(u.v.self, &u.down[dev], HW_INVALIDATE)
    if slot == NULL:
        return False
    slot[0] = DOWN_INVALIDATE | (qw0 & (<uint64_t>0xFFFFF << 32))
    slot[1] = qw1
    slot[2] = 0
    slot[3] = u.ticks
    link_filled(&u.down[dev])
    u.pending[dev] += 1
    u.pending_total += 1
    u.v.devices[dev].hw.invalidations_sent += 1
    mark_dirty(u, dev)
    return True


cdef bint finish_wait(unit *u, uint64_t *rec) noexcept nogil:
    """An invalidation wait: false while invalidations before it are open."""
    if u.pending_total:
        return False
    if rec[0] & WAIT_PD:
        # Requests that had arrived are in the queue or answered before the status is written.
        serve_links(u, UP_SLOTS)
        flush_responses(u)
        u.regs.drains += 1
    if rec[0] & WAIT_SW:
        write64(u.v.self, &u.regs.qi_wait_done, rec[1], HW_WAIT)
        ec_notify(u.v.self, &u.regs.qi_bell, 0x7FFFFFFF, HW_WAIT)
    return True


cdef bint execute(unit *u, uint64_t *rec, qi_note *note) noexcept nogil:
    """One command; false when it has to wait."""
    cdef uint32_t kind = qi_type(rec[0]), dev = prq_rid(rec[0]) - RID_BASE
    if kind == QI_INV_WAIT:
        return finish_wait(u, rec)
    if dev >= u.v.cfg.devices or unit_of(u.v, dev) != u.index:
        u.regs.fault_log += 1
        return True
    if kind == QI_PAGE_GRP_RESP and resp_private(rec[0]) and not prq_last(rec[1]):
        return send_early_response(u, dev, rec)
    if kind == QI_PAGE_GRP_RESP:
        if not send_response(u, dev, prq_pasid(rec[0]), (rec[0] >> 4) & 1, prq_prgi(rec[1]), <uint32_t>(rec[0] >> 12) & 15, False,
                             note.submit_ticks) and not u.gone[dev]:
            return False  # the function's link is full: the command waits until it has read
        if u.ticks > note.submit_ticks:
            hist_add(stage_hist(u.v, u.v.self.slot, STAGE_COMMAND), crew_ticks_ns(u.v.crew, u.ticks - note.submit_ticks))
    elif kind == QI_DEV_TLB_INV:
        return send_invalidation(u, dev, rec[0], rec[1])
    return True


cdef uint32_t serve_commands(unit *u) noexcept nogil:
    cdef uint64_t tail, head
    cdef qi_note *notes = <qi_note *>view_region(u.v, OFF_QI_NOTES) + <uint64_t>u.index * u.v.cfg.qi_records
    cdef uint32_t n = 0
    tail = ring_tail(u.v.self, &u.qi, HW_COMMAND)
    head = ring_head(u.v.self, &u.qi, HW_COMMAND)
    if head == tail:
        return 0
    u.ticks = crew_ticks(u.v.crew)
    while head != tail and n < COMMANDS:
        if not execute(u, ring_record(&u.qi, head), notes + head // QI_RECORD_BYTES):
            break
        head = ring_advance(&u.qi, head)
        n += 1
    if n:
        u.regs.commands += n
        flush_responses(u)  # whoever sees the command executed can see what it sent
        ring_consume(u.v.self, &u.qi, head, HW_COMMAND)
    return n


cdef bint work_there(unit *u) noexcept nogil:
    cdef uint32_t i, dev
    if not u.pending_total and read64(u.v.self, &u.regs.qi.tail, HW_WAIT) != ld64_acq(&u.regs.qi.head):
        return True
    for i in range(u.devices):
        dev = u.index + i * u.v.cfg.units
        if link_waiting(u.v.self, &u.up[dev], HW_WAIT) or (not u.gone[dev] and not read32(u.v.self, &u.v.devices[dev].link_up, HW_WAIT)):
            return True
    return False


cdef void unit_attach(unit *u, view *v, uint32_t index) noexcept nogil:
    cdef uint32_t i, dev
    u.v = v
    u.index = index
    u.regs = unit_regs(v, index)
    u.notes = <prq_note *>view_region(v, OFF_PRQ_NOTES) + <uint64_t>index * v.cfg.prq_records
    ring_attach(&u.prq, &u.regs.prq, view_region(v, OFF_PRQ_RECORDS) + <uint64_t>index * v.cfg.prq_records * PRQ_RECORD_BYTES,
                v.cfg.prq_records, PRQ_RECORD_BYTES)
    ring_attach(&u.qi, &u.regs.qi, view_region(v, OFF_QI_RECORDS) + <uint64_t>index * v.cfg.qi_records * QI_RECORD_BYTES,
                v.cfg.qi_records, QI_RECORD_BYTES)
    u.prq_tail = u.prq_published = ld64_acq(&u.regs.prq.tail)
    u.prq_head = ld64_acq(&u.regs.prq.head)
    u.devices = (v.cfg.devices + v.cfg.units - 1 - index) // v.cfg.units
    for i in range(u.devices):
        dev = index + i * v.cfg.units
        link_attach(&u.up[dev], uplink(v, dev), UP_SLOTS, False)
        link_attach(&u.down[dev], downlink(v, dev), DOWN_SLOTS, True)


cdef unit *unit_make(view *v, uint32_t index) noexcept nogil:
    """The state of one IOMMU, private to its process; NULL without memory."""
    cdef unit *u = <unit *>private_alloc(v, sizeof(unit))
    cdef uint32_t n = v.cfg.devices
    if u == NULL:
        return NULL
    u.pending = <uint32_t *>private_alloc(v, n * sizeof(uint32_t))
    u.dirty = <uint32_t *>private_alloc(v, n * sizeof(uint32_t))
    u.is_dirty = <uint8_t *>private_alloc(v, n)
    u.gone = <uint8_t *>private_alloc(v, n)
    u.up = <link_end *>private_alloc(v, n * sizeof(link_end))
    u.down = <link_end *>private_alloc(v, n * sizeof(link_end))
    if u.pending == NULL or u.dirty == NULL or u.is_dirty == NULL or u.gone == NULL or u.up == NULL or u.down == NULL:
        return NULL
    unit_attach(u, v, index)
    return u


cdef int iommu_main(unit *u) noexcept nogil:
    """Runs until PHASE_ENDING."""
    cdef view *v = u.v
    cdef uint32_t key
    cdef waiter w
    waiter_reset(&w)
    while True:
        v.self.heartbeat += 1
        if serve_links(u, BURST) + serve_commands(u):
            flush_responses(u)
            waiter_reset(&w)
            continue
        flush_responses(u)
        if waiter_spin(v.self, &w):
            continue
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            break
        key = ec_prepare(v.self, bell_of(v.self), HW_WAIT)
        if work_there(u) or ld32_acq(&v.board.phase) >= PHASE_ENDING:
            ec_cancel(v.self, bell_of(v.self), key)
            waiter_reset(&w)
            continue
        if waiter_sleep(v.self, bell_of(v.self), key, IDLE_NS, HW_WAIT, &w) and work_there(u):
            wake_lost(v.self, bell_of(v.self), HW_WAIT)
    return 0
