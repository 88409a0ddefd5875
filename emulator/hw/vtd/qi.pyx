# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The command queue of VT-d: page responses, device TLB invalidations, and waits."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.histogram cimport hist_add
from iopf.cython_ext.record_ring cimport *
from iopf.cython_ext.wait cimport ec_notify
from iopf.emulator.hw.downlink cimport *
from iopf.emulator.hw.vtd.engine cimport serve_links, unit
from iopf.emulator.board.board cimport view_region
from iopf.emulator.board.iommus cimport qi_note, unit_of
from iopf.emulator.board.latency cimport STAGE_COMMAND, stage_hist
from iopf.emulator.board.layout cimport OFF_QI_NOTES
from iopf.emulator.board.links cimport UP_SLOTS
from iopf.emulator.spec.sites cimport HW_COMMAND, HW_WAIT
from iopf.emulator.spec.vtd cimport *

cdef enum:
    COMMANDS = 64            # commands executed before the links are served again


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
    if kind == QI_PAGE_GRP_RESP and resp_private(rec[0]) and not pri_last(rec[1]):
        return send_early_response(u, dev, pri_prgi(rec[1]), rec[2])
    if kind == QI_PAGE_GRP_RESP:
        if not send_response(u, dev, prq_pasid(rec[0]), (rec[0] >> 4) & 1, pri_prgi(rec[1]), <uint32_t>(rec[0] >> 12) & 15, False,
                             note.submit_ticks, note.uid) and not u.gone[dev]:
            return False  # the function's link is full: the command waits until it has read
        if u.ticks > note.submit_ticks:
            hist_add(stage_hist(u.v, u.v.self.slot, STAGE_COMMAND), crew_ticks_ns(u.v.crew, u.ticks - note.submit_ticks))
    elif kind == QI_DEV_TLB_INV:
        return send_invalidation(u, dev, prq_pasid(rec[0]), rec[1], rec[1] & 0xFFF)
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
        flush_responses(u)  # a process that sees the command executed sees what it sent
        ring_consume(u.v.self, &u.qi, head, HW_COMMAND)
    return n
