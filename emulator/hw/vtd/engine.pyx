# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The decision table and the page request queue of VT-d. Rules and order: see ``engine.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.histogram cimport hist_add
from iopf.cython_ext.link cimport *
from iopf.cython_ext.record_ring cimport *
from iopf.cython_ext.wait cimport bell_ring
from iopf.emulator.hw.downlink cimport flush_responses, send_response
from iopf.emulator.board.board cimport note_event, note_step, view
from iopf.emulator.board.config cimport OPTION_PRIVATE_DATA
from iopf.emulator.board.devices cimport device, hwside
from iopf.emulator.board.iommus cimport irq_slot, prq_note
from iopf.emulator.board.latency cimport STAGE_LINK, stage_hist
from iopf.emulator.board.layout cimport OFF_LEDGER_HW
from iopf.emulator.board.ledger cimport *
from iopf.emulator.board.links cimport UP_INVALIDATED, UP_MARKER, UP_REQUEST, UP_SLOTS, unpack_up, up_word
from iopf.emulator.board.pasid_table cimport PTE_PRESENT, PTE_QUIET, pasid_table
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.vtd cimport *


cdef void hw_fate(unit *u, uint32_t dev, uint64_t *rec, uint32_t fate) noexcept nogil:
    note_step(u.v, u.ticks, HW_PRQ_WRITE if fate == FATE_ENQUEUED else HW_REQUEST, uid_number(rec[2]), <uint64_t>dev << 32 | fate)
    write32(u.v.self, ledger(u.v, OFF_LEDGER_HW, dev, pri_prgi(rec[1]), rec[2]), ledger_word(rec[2], fate), HW_REQUEST)


cdef void raise_event(unit *u, uint32_t bit) noexcept nogil:
    """Sets a status bit; the interrupt goes out only on the change from both clear."""
    cdef uint32_t old
    old = or32(u.v.self, &u.regs.prs, bit, HW_PRS)
    if old & (PRS_PPR | PRS_PRO):
        return
    u.regs.interrupts += 1
    note_step(u.v, u.ticks, HW_INTERRUPT, u.regs.interrupts, 0)
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
        send_response(u, dev, pasid, pp, pri_prgi(rec[1]), RESP_INVALID, True, u.ticks, rec[2])
    else:
        hw.drop_refused += 1
        hw_fate(u, dev, rec, FATE_DROP_REFUSED)


cdef void lose(unit *u, uint32_t dev, uint64_t *rec, uint32_t pasid, bint pp) noexcept nogil:
    """Overflow: Success for a last request, silence for another."""
    cdef hwside *hw = &u.v.devices[dev].hw
    if rec[1] & PRI_LAST:
        hw.auto_success += 1
        hw_fate(u, dev, rec, FATE_AUTO_SUCCESS)
        send_response(u, dev, pasid, pp, pri_prgi(rec[1]), RESP_SUCCESS, True, u.ticks, rec[2])
    else:
        hw.drop_overflow += 1
        hw_fate(u, dev, rec, FATE_DROP_OVERFLOW)


cdef void write_record(unit *u, uint32_t dev, uint64_t *rec, const up_word *up, uint64_t entry) noexcept nogil:
    cdef uint64_t *to = ring_record(&u.prq, u.prq_tail)
    cdef prq_note *note = u.notes + u.prq_tail // PRQ_RECORD_BYTES
    cdef uint64_t qw0 = prq_qw0(u.v.devices[dev].rid, up.pasid, up.pasid_present, up.execute, up.privileged)
    to[1] = rec[1]
    to[2] = 0
    to[3] = 0
    if up.private_data and u.v.cfg.options & OPTION_PRIVATE_DATA:
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
    cdef up_word up = unpack_up(rec[0])
    cdef uint32_t pasid = up.pasid
    cdef bint pp = up.pasid_present
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
        note_event(v, u.ticks, HW_PRS, uid_number(rec[2]), <uint64_t>dev << 32 | PRS_PRO)
        raise_event(u, PRS_PRO)
        return
    d.hw.enqueued += 1
    hw_fate(u, dev, rec, FATE_ENQUEUED)
    write_record(u, dev, rec, &up, entry)


cdef void take_marker(unit *u, uint32_t dev, uint64_t *rec) noexcept nogil:
    cdef up_word up = unpack_up(rec[0])
    u.v.devices[dev].hw.markers += 1
    if u.gone[dev] or read32(u.v.self, &u.regs.prs, HW_PRS) & PRS_PRO or queue_full(u):
        return
    rec[1] = PRI_LAST
    write_record(u, dev, rec, &up, 0)


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
        kind = unpack_up(rec[0]).kind
        if kind == UP_REQUEST and not pri_stop_marker(rec[1]):
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
        # Last: a process that sees a request taken sees its fate (``settled``).
        for i in range(u.devices):
            link_consume(u.v.self, &u.up[u.index + i * u.v.cfg.units], HW_REQUEST)
    return n
