# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Sending groups, taking responses and invalidations, stopping a PASID. States and writers stand in ``pri.pxd``."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.histogram cimport hist_add
from cython_ext.link cimport *
from cython_ext.wait cimport *
from device_procs.atc cimport *
from device_procs.books cimport fate_of, fates_agree
from emulator.mm.pgtable cimport walk_begin, walk_grants, walker
from emulator.spec.board cimport *
from emulator.spec.sites cimport *
from emulator.spec.vtd cimport *

cdef enum:
    IOMMU_SLOT = 1
    RETRY_NS = 2000              # a function's own pause before it asks again; doubles with each retry
    RETRY_DOUBLINGS = 8


cdef int function_attach(function *f, view *v, uint32_t dev, uint32_t window, uint32_t atc_entries) noexcept nogil:
    """0, or -ENOMEM."""
    cdef uint32_t i
    f.v = v
    f.dev = dev
    f.d = &v.devices[dev]
    f.window = window
    f.credits = f.d.credits
    f.atc_mask = atc_entries - 1
    f.groups = <group *>calloc(window, sizeof(group))
    f.free_list = <uint16_t *>calloc(window, sizeof(uint16_t))
    f.retry_list = <uint16_t *>calloc(window, sizeof(uint16_t))
    f.atc = <atc_entry *>calloc(atc_entries, sizeof(atc_entry))
    if f.groups == NULL or f.free_list == NULL or f.retry_list == NULL or f.atc == NULL:
        return -12
    for i in range(window):
        f.free_list[i] = <uint16_t>(window - 1 - i)
    f.free_count = window
    for i in range(PRGI_COUNT):
        f.by_prgi[i] = NO_GROUP
    link_attach(&f.up, uplink(v, dev), UP_SLOTS, True)
    link_attach(&f.down, downlink(v, dev), DOWN_SLOTS, False)
    return 0


cdef void function_free(function *f) noexcept nogil:
    free(f.groups)
    free(f.free_list)
    free(f.retry_list)
    free(f.atc)


cdef void publish(function *f) noexcept nogil:
    """Shows the IOMMU what was put on the link, with one ring of its bell."""
    cdef uint64_t n = link_publish(f.v.self, &f.up, DEV_SEND)
    if n == 0:
        return
    st64_rel(&f.d.dev.sent, f.next_uid)
    bell_ring(f.v.self, crew_actor(f.v.crew, IOMMU_SLOT), DEV_SEND)


cdef bint group_fits(function *f, uint32_t count) noexcept nogil:
    """Credits, a group record, a group index and room on the link."""
    return f.free_count != 0 and may_send(f, count)


cdef bint may_send(function *f, uint32_t count) noexcept nogil:
    """Credits, a group index and room on the link, for a group that has its record."""
    if f.open_requests + count > f.credits or f.open_groups >= PRGI_COUNT:
        return False
    if f.up.mask + 1 - (f.up.mine - f.up.theirs) >= count + 1:
        return True
    f.up.theirs = ld64_acq(&f.up.hdr.head)
    return f.up.mask + 1 - (f.up.mine - f.up.theirs) >= count + 1


cdef uint32_t take_prgi(function *f) noexcept nogil:
    """The next free group index, round the 512, so that one is reused as late as possible."""
    cdef uint32_t i, at
    for i in range(PRGI_COUNT):
        at = (f.next_prgi + i) & (PRGI_COUNT - 1)
        if f.by_prgi[at] == NO_GROUP:
            f.next_prgi = at + 1
            return at
    return PRGI_COUNT


cdef void send_group(function *f, group *g, uint16_t index) noexcept nogil:
    """Puts every request of the group on the link, the last one marked. The caller has checked that it fits."""
    cdef uint64_t now = crew_ticks(f.v.crew)
    cdef uint64_t *slot
    cdef uint32_t i, prgi = take_prgi(f)
    g.prgi = prgi
    g.state = GROUP_OPEN
    g.first_uid = f.next_uid
    g.sent_ticks = now
    f.by_prgi[prgi] = index
    for i in range(g.count):
        slot = link_room(f.v.self, &f.up, DEV_SEND)
        if slot == NULL:
            return
        slot[0] = UP_REQUEST | <uint64_t>1 << 8 | <uint64_t>((g.rwx[i] & 4) != 0) << 9 | <uint64_t>g.pasid << 32
        # A request asks for something: one without read and write would be a stop marker.
        slot[1] = prq_qw1(g.address[i], prgi, (g.rwx[i] & 3 or PRI_READ) | (PRI_LAST if i + 1 == g.count else 0))
        slot[2] = uid_of(f.next_uid, i)
        slot[3] = now
        link_filled(&f.up)
        f.next_uid += 1
    f.open_groups += 1
    f.open_requests += g.count
    f.d.dev.groups_sent += 1
    note_event(f.v, now, DEV_SEND, g.first_uid, <uint64_t>f.dev << 32 | g.count << 16 | prgi)
    st64_rlx(&f.d.dev.open_requests, f.open_requests)
    st64_rlx(&f.d.dev.open_groups, f.open_groups)
    st64_rlx(&f.d.open_ticks[prgi], now)


cdef bint group_start(function *f, uint32_t ten, uint32_t pasid, const uint64_t *address, const uint8_t *rwx,
                      uint32_t count) noexcept nogil:
    """Opens a new group of 1 .. 64 requests; the caller has seen ``group_fits``."""
    cdef uint16_t index
    cdef group *g
    cdef uint32_t i
    if f.free_count == 0:
        return False
    f.free_count -= 1
    index = f.free_list[f.free_count]
    g = &f.groups[index]
    g.count = count
    g.tenant = ten
    g.pasid = pasid
    g.retries = 0
    g.ignored = 0
    for i in range(count):
        g.address[i] = address[i]
        g.rwx[i] = rwx[i]
    send_group(f, g, index)
    return True


cdef bint send_retries(function *f, uint64_t now_ns, uint64_t *next_ns) noexcept nogil:
    """Sends again, oldest first, what is due; ``next_ns`` gets the time of the next one that is not."""
    cdef uint32_t i = 0, kept = 0
    cdef uint16_t index
    cdef group *g
    cdef bint any_sent = False
    while i < f.retry_count:
        index = f.retry_list[i]
        g = &f.groups[index]
        if g.not_before_ns <= now_ns and may_send(f, g.count):
            send_group(f, g, index)
            any_sent = True
        else:
            if g.not_before_ns > now_ns and g.not_before_ns < next_ns[0]:
                next_ns[0] = g.not_before_ns
            f.retry_list[kept] = index
            kept += 1
        i += 1
    f.retry_count = kept
    st64_rlx(&f.d.dev.retry_groups, kept)
    return any_sent


cdef void count_done(function *f, uint32_t ten) noexcept nogil:
    """One group of a tenant needs no more waiting for: counted for its gates, and the tenant is rung when it waits at one."""
    cdef uint64_t *count
    cdef tenant *t
    if ten >= f.v.cfg.tenants:
        return
    count = done_count(f.v, f.dev, ten)
    st64_rel(count, count[0] + 1)
    fence()  # partner: the fence in the tenant's gate, after it has set gate_waiting
    t = &f.v.tenants[ten]
    if ld32_rlx(&t.gate_waiting):
        bell_ring(f.v.self, crew_actor(f.v.crew, t.actor), DEV_RECEIVE)


cdef void group_done(function *f, uint32_t ten) noexcept nogil:
    f.d.dev.groups_done += 1
    count_done(f, ten)


cdef void group_release(function *f, group *g, uint16_t index) noexcept nogil:
    g.state = GROUP_FREE
    f.free_list[f.free_count] = index
    f.free_count += 1


cdef void check_books(function *f, group *g, bint by_hardware) noexcept nogil:
    """Compares what hardware and kernel noted about every request of the group; the first disagreement is the verdict."""
    cdef uint32_t i, hw, kernel
    cdef bint early = False
    for i in range(g.count - 1):
        # Since v6.11 a refused non-last is answered at once; the rest of its group may be anywhere.
        early |= fate_of(f.v, f.dev, OFF_LEDGER_KERNEL, g.prgi, uid_of(g.first_uid + i, i)) == FATE_REJECTED
    for i in range(g.count):
        hw = fate_of(f.v, f.dev, OFF_LEDGER_HW, g.prgi, uid_of(g.first_uid + i, i))
        kernel = fate_of(f.v, f.dev, OFF_LEDGER_KERNEL, g.prgi, uid_of(g.first_uid + i, i))
        if not early and not fates_agree(hw, kernel, i + 1 == g.count, by_hardware):
            verdict_raise(f.v.self, VERDICT_ACCOUNT, f.dev, g.first_uid + i, <uint64_t>hw << 8 | kernel, 0,
                          <uint64_t>by_hardware << 32 | g.prgi, DEV_RECEIVE)
            return


cdef void after_success(function *f, group *g, uint16_t index) noexcept nogil:
    """Success promises nothing: the translation is asked for again, and what is still absent is requested again."""
    cdef uint32_t i, absent = 0, doublings
    cdef walker w
    cdef bint bound = walk_begin(f.v, &w, f.dev, g.pasid)
    for i in range(g.count):
        if bound and walk_grants(f.v, &w, g.address[i], g.rwx[i]):
            atc_fill(f.atc, f.atc_mask, g.pasid, g.address[i], g.rwx[i])
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
    g.not_before_ns = clock_ns() + (<uint64_t>RETRY_NS << doublings)
    f.d.dev.retries += absent
    f.retry_list[f.retry_count] = index
    f.retry_count += 1
    st64_rlx(&f.d.dev.retry_groups, f.retry_count)


cdef void pri_failure(function *f) noexcept nogil:
    """Response Failure: the function switches PRI off and forgets what is open (PCIe: RF)."""
    cdef uint32_t i
    cdef group *g
    f.d.dev.failed = 1
    f.over = 1
    for i in range(f.window):
        g = &f.groups[i]
        if g.state == GROUP_OPEN:
            f.d.dev.forgotten += g.count
            f.by_prgi[g.prgi] = NO_GROUP
            st64_rlx(&f.d.open_ticks[g.prgi], 0)
        if g.state != GROUP_FREE:
            group_release(f, g, <uint16_t>i)
            group_done(f, g.tenant)
    f.open_groups = f.open_requests = f.retry_count = 0
    f.d.dev.abandoned += f.staged
    f.staged = 0
    st64_rlx(&f.d.dev.retry_groups, 0)


cdef void take_response(function *f, uint64_t *rec) noexcept nogil:
    cdef uint32_t code = <uint32_t>(rec[0] >> 8) & 15, prgi = <uint32_t>(rec[0] >> 16) & 511
    cdef uint16_t index = f.by_prgi[prgi]
    cdef devside *dev = &f.d.dev
    cdef group *g
    cdef bint by_hardware = rec[1] & 1
    cdef uint64_t now
    if index == NO_GROUP:
        dev.unexpected += 1
        return
    g = &f.groups[index]
    now = crew_ticks(f.v.crew)
    f.by_prgi[prgi] = NO_GROUP
    st64_rlx(&f.d.open_ticks[prgi], 0)
    f.open_groups -= 1
    f.open_requests -= g.count
    if now > rec[3]:
        hist_add(stage_hist(f.v, f.v.self.slot, STAGE_RETURN), crew_ticks_ns(f.v.crew, now - rec[3]))
    hist_add(stage_hist(f.v, f.v.self.slot, STAGE_ROUND), crew_ticks_ns(f.v.crew, now - g.sent_ticks))
    note_event(f.v, now, DEV_RECEIVE, g.first_uid, <uint64_t>f.dev << 32 | code << 16 | prgi)
    if f.v.cfg.account:
        check_books(f, g, by_hardware)
    if by_hardware:
        if code == RESP_SUCCESS:
            dev.by_overflow += g.count
        else:
            dev.by_hardware += g.count
    if code == RESP_SUCCESS:
        dev.retired_ok += g.count
        if g.ignored:
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


cdef void take_invalidation(function *f, uint64_t *rec) noexcept nogil:
    """Drops the range (or the whole PASID) and owes a completion, which goes behind every request already on the link."""
    cdef uint32_t pasid = <uint32_t>(rec[0] >> 32) & 0xFFFFF
    cdef uint64_t start = rec[1] & ~<uint64_t>0xFFF, pages = rec[1] & 0xFFF
    atc_drop(f.atc, f.atc_mask, pasid, start, pages)
    f.d.dev.invalidations += 1
    f.owed += 1


cdef void send_owed(function *f) noexcept nogil:
    cdef uint64_t *slot
    while f.owed:
        slot = link_room(f.v.self, &f.up, DEV_INVALIDATE)
        if slot == NULL:
            return
        slot[0] = UP_INVALIDATED
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
        kind = <uint32_t>rec[0] & 0xFF
        if kind == DOWN_RESPONSE:
            if f.d.dev.failed:
                f.d.dev.unexpected += 1
            else:
                take_response(f, rec)
        elif kind == DOWN_INVALIDATE:
            take_invalidation(f, rec)
        link_taken(&f.down)
        n += 1
    if n:
        link_consume(f.v.self, &f.down, DEV_RECEIVE)
    send_owed(f)
    return n != 0
