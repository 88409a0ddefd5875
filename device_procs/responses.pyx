# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Responses and invalidations in a function. States and writers: see ``pri.pxd``."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.histogram cimport hist_add
from iopf.cython_ext.link cimport *
from iopf.cython_ext.wait cimport bell_ring
from iopf.device_procs.atc cimport *
from iopf.device_procs.books cimport EARLY_ANSWER, EARLY_REFUSED, fate_of, fates_agree
from iopf.device_procs.posted cimport post_writes
from iopf.device_procs.pri cimport *
from iopf.device_procs.workload cimport PATTERN_PROGRAM
from iopf.emulator.mm.pgtable cimport walk_begin, walk_grants, walker
from iopf.emulator.board.board cimport note_event
from iopf.emulator.board.devices cimport devside
from iopf.emulator.board.latency cimport STAGE_RETURN, STAGE_ROUND, stage_hist
from iopf.emulator.board.layout cimport OFF_LEDGER_HW, OFF_LEDGER_KERNEL
from iopf.emulator.board.ledger cimport FATE_ACKNOWLEDGED, FATE_REJECTED, uid_number, uid_of
from iopf.emulator.board.links cimport *
from iopf.emulator.spec.program cimport LABEL_OTHER, LABELS
from iopf.emulator.board.progress cimport label_at, label_note
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.pci cimport *

cdef enum:
    RETRY_NS = 2000              # a function's own pause before it asks again; doubles with each retry
    RETRY_DOUBLINGS = 8


cdef uint32_t answered_early(function *f, group *g) noexcept nogil:
    """What the answer of the group leaves open. Until v6.8 a last request is refused without memory for its copy, since v6.11 when a
    replace has taken the fault handler away after its partials; since v6.11 a refused non-last is answered at once, and gunthorpe
    answers open groups."""
    cdef uint32_t i, kernel, last = g.count - 1
    for i in range(last):
        kernel = fate_of(f.v, f.dev, OFF_LEDGER_KERNEL, g.prgi, uid_of(g.number[i], i))
        if kernel == FATE_REJECTED or kernel == FATE_ACKNOWLEDGED:
            return EARLY_ANSWER
    kernel = fate_of(f.v, f.dev, OFF_LEDGER_KERNEL, g.prgi, uid_of(g.number[last], last))
    return EARLY_REFUSED if kernel == FATE_REJECTED else 0


cdef void check_books(function *f, group *g, bint by_hardware) noexcept nogil:
    """Compares what hardware and kernel noted about every request of the group; the first disagreement is the verdict."""
    cdef uint32_t i, hw, kernel, early = answered_early(f, g)
    for i in range(g.count):
        hw = fate_of(f.v, f.dev, OFF_LEDGER_HW, g.prgi, uid_of(g.number[i], i))
        kernel = fate_of(f.v, f.dev, OFF_LEDGER_KERNEL, g.prgi, uid_of(g.number[i], i))
        if not fates_agree(hw, kernel, i + 1 == g.count, by_hardware, early):
            verdict_raise(f.v.self, VERDICT_ACCOUNT, f.dev, g.number[i], <uint64_t>hw << 8 | kernel, 0,
                          <uint64_t>by_hardware << 32 | g.prgi, DEV_RECEIVE)
            return


cdef void after_success(function *f, group *g, uint16_t index) noexcept nogil:
    """Success promises nothing: the translation is asked for again, and what is still absent is requested again."""
    cdef uint32_t i, absent = 0, doublings
    cdef walker w
    cdef bint bound = walk_begin(f.v, &w, f.dev, g.pasid)
    for i in range(g.count):
        if bound and walk_grants(f.v, &w, g.address[i], g.rwx[i]):
            atc_fill(f.atc, f.atc_mask, g.pasid, g.address[i], g.rwx[i], w.mm_id)
        else:
            g.address[absent] = g.address[i]
            g.rwx[absent] = g.rwx[i]
            absent += 1
    if absent == 0 or f.over == 2:
        group_release(f, g, index)
        group_done(f, g.tenant)
        return
    if f.max_retries and g.retries >= f.max_retries:
        f.d.dev.gave_up += absent
        group_release(f, g, index)
        group_done(f, g.tenant)
        return
    doublings = g.retries if g.retries < RETRY_DOUBLINGS else RETRY_DOUBLINGS
    g.retries += 1
    g.count = absent
    g.state = GROUP_RETRY
    g.not_before_ns = actor_clock(f.v.self) + (<uint64_t>RETRY_NS << doublings)
    f.d.dev.retries += absent
    f.retry_list[f.retry_count] = index
    f.retry_count += 1
    st64_rlx(&f.d.dev.retry_groups, f.retry_count)


cdef void ring_gates(function *f) noexcept nogil:
    """A function that has failed counts at every gate with all that it owed, so the tenants look again."""
    cdef uint32_t ten
    fence_at(f.v.self, DEV_RECEIVE)  # partner: the fence in the tenant's gate, after it has set gate_waiting
    for ten in range(f.v.cfg.tenants):
        if read32(f.v.self, &f.v.tenants[ten].gate_waiting, DEV_RECEIVE):
            bell_ring(f.v.self, crew_actor(f.v.crew, f.v.tenants[ten].actor), DEV_RECEIVE)


cdef void pri_failure(function *f) noexcept nogil:
    """Response Failure: the function switches PRI off and forgets what is open (PCIe: RF). A workload ends; a program goes on, and can
    send again when the driver has plugged the function in anew."""
    cdef uint32_t i
    cdef group *g
    write32(f.v.self, &f.d.dev.failed, 1, DEV_RECEIVE)
    f.over = f.over if f.work.pattern == PATTERN_PROGRAM else 1
    for i in range(f.window):
        g = &f.groups[i]
        if g.state == GROUP_OPEN:
            forget_group(f, <uint16_t>i)
        elif g.state != GROUP_FREE:
            group_release(f, g, <uint16_t>i)
            group_done(f, g.tenant)
    f.retry_count = 0
    f.d.dev.abandoned += f.staged
    f.staged = 0
    st64_rlx(&f.d.dev.retry_groups, 0)
    ring_gates(f)


cdef uint16_t answered_group(function *f, uint32_t prgi, uint32_t pasid, bint pasid_present) noexcept nogil:
    """The open group of an answer. Two groups may share an index when a program says so; then the PASID tells them apart."""
    cdef uint16_t index = f.by_prgi[prgi]
    cdef uint32_t i
    if index == NO_GROUP or not f.groups[index].shared:
        return index
    for i in range(f.window):
        if f.groups[i].state == GROUP_OPEN and f.groups[i].prgi == prgi and f.groups[i].pasid == pasid and f.groups[i].rid != pasid_present:
            return <uint16_t>i
    return NO_GROUP


cdef uint32_t label_of_index(function *f, uint32_t prgi) noexcept nogil:
    """An answer that matches no open group belongs to what used its index last: a reported event, or a group of the program."""
    if f.d.reported[prgi] != 0 and f.d.reported[prgi] <= LABELS:
        return f.d.reported[prgi] - 1
    return f.label_by_prgi[prgi] - 1 if f.label_by_prgi[prgi] != 0 else LABEL_OTHER


cdef void note_label(function *f, uint32_t label, uint32_t code, uint32_t requests) noexcept nogil:
    """Programs name groups: what came for each is kept for the report."""
    cdef label_note *note = label_at(f.v, f.dev, label)
    if note.answers < 6:
        note.codes[note.answers] = code
    note.requests = requests
    st32_rel(&note.answers, note.answers + 1)


cdef void take_response(function *f, uint64_t *rec) noexcept nogil:
    cdef down_word down = unpack_down(rec[0])
    cdef uint32_t code = down.code, prgi = down.prgi
    cdef uint16_t index = answered_group(f, prgi, down.pasid, down.pasid_present)
    cdef devside *dev = &f.d.dev
    cdef group *g
    cdef bint by_hardware = rec[1] & 1
    cdef uint64_t now
    if code > RESP_INVALID:
        code = RESP_FAILURE  # PCIe: all other codes are Response Failure; Linux's VT-d driver sends 2
    if index == NO_GROUP:
        dev.unexpected += 1
        note_label(f, label_of_index(f, prgi), code, 0)
        return
    g = &f.groups[index]
    now = crew_ticks(f.v.crew)
    unlink_prgi(f, prgi, index)
    f.open_groups -= 1
    f.open_requests -= credits_held(g)
    if now > rec[3]:
        hist_add(stage_hist(f.v, f.v.self.slot, STAGE_RETURN), crew_ticks_ns(f.v.crew, now - rec[3]))
    hist_add(stage_hist(f.v, f.v.self.slot, STAGE_ROUND), crew_ticks_ns(f.v.crew, now - g.sent_ticks))
    note_event(f.v, now, DEV_RECEIVE, g.number[g.count - 1], <uint64_t>f.dev << 32 | code << 16 | prgi)
    if f.v.cfg.account and not g.shared and g.closed:
        check_books(f, g, by_hardware)
    if by_hardware:
        leave_early(f, g)
        if code == RESP_SUCCESS:
            dev.by_overflow += g.count
        else:
            dev.by_hardware += g.count
    if g.label != NO_LABEL:
        note_label(f, g.label, code, g.count)
    if code == RESP_SUCCESS:
        dev.retired_ok += g.count
        if g.ignored or (g.label != NO_LABEL and not g.again):
            group_release(f, g, index)
            group_done(f, g.tenant)
        else:
            after_success(f, g, index)
    elif code == RESP_INVALID:
        dev.retired_invalid += g.count
        group_release(f, g, index)
        group_done(f, g.tenant)
    else:
        dev.retired_failure += g.count
        group_release(f, g, index)
        group_done(f, g.tenant)
        pri_failure(f)
    st64_rlx(&dev.open_requests, f.open_requests)
    st64_rlx(&dev.open_groups, f.open_groups)


cdef void take_early(function *f, uint64_t *rec) noexcept nogil:
    """The answer of one request with private data: its credit returns, its page comes with the group."""
    cdef uint16_t index = f.by_prgi[unpack_down(rec[0]).prgi]
    cdef uint32_t place = <uint32_t>(rec[2] >> 56)
    cdef group *g = &f.groups[index] if index != NO_GROUP else NULL
    if g == NULL or place >= g.count or g.number[place] != uid_number(rec[2]) or g.early >> place & 1:
        if f.early_owed:
            f.early_owed -= 1
        else:
            f.d.dev.unexpected += 1
        return
    g.early |= <uint64_t>1 << place
    f.open_requests -= 1
    f.d.dev.early += 1
    st64_rlx(&f.d.dev.open_requests, f.open_requests)


cdef void take_invalidation(function *f, uint64_t *rec) noexcept nogil:
    """Drops the range (or the whole PASID) and owes a completion, which goes behind every request already on the link."""
    cdef uint32_t pasid = unpack_down(rec[0]).pasid
    cdef uint64_t start = rec[1] & ~<uint64_t>0xFFF, pages = rec[1] & 0xFFF
    if iopf_unlikely(f.d.dtlb_extra_inval):
        post_writes(f, pasid, start, pages)
    atc_drop(f.atc, f.atc_mask, pasid, start, pages)
    f.d.dev.invalidations += 1
    f.owed += 1


cdef void send_owed(function *f) noexcept nogil:
    cdef uint64_t *slot
    while f.owed:
        slot = link_room(f.v.self, &f.up, DEV_INVALIDATE)
        if slot == NULL:
            return
        slot[0] = pack_up(UP_INVALIDATED, 0, False, False, False, False)
        link_filled(&f.up)
        f.owed -= 1


cdef bint receive(function *f) noexcept nogil:
    """Takes everything from the downlink; true when there was anything."""
    cdef uint64_t *rec
    cdef uint32_t kind, n = 0
    while n < DOWN_SLOTS:
        rec = link_next(f.v.self, &f.down, DEV_RECEIVE)
        if rec == NULL:
            break
        kind = unpack_down(rec[0]).kind
        if iopf_unlikely(not read32(f.v.self, &f.d.link_up, DEV_RECEIVE)):
            pass  # lost on the way
        elif kind == DOWN_RESPONSE:
            if f.d.dev.failed:
                f.d.dev.unexpected += 1
            else:
                take_response(f, rec)
        elif kind == DOWN_EARLY:
            take_early(f, rec)
        elif kind == DOWN_INVALIDATE:
            take_invalidation(f, rec)
        link_taken(&f.down)
        n += 1
    if n:
        link_consume(f.v.self, &f.down, DEV_RECEIVE)
    send_owed(f)
    return n != 0


def books_agree(int hw, int kernel, bint last, bint by_hardware, int early):
    """`fates_agree` for Python: fates by number (`FATE_*`), early 0, 1 (the last was refused) or 2 (another was answered by itself)."""
    return bool(fates_agree(hw, kernel, last, by_hardware, early))
