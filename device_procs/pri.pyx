# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Sending groups and forgetting them. States and writers: see ``pri.pxd``; responses: ``responses.pxd``."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.link cimport *
from iopf.cython_ext.wait cimport *
from iopf.device_procs.books cimport fate_of
from iopf.emulator.board.board cimport note_event, private_alloc, view
from iopf.emulator.board.config cimport OPTION_EARLY_PRIVATE
from iopf.emulator.board.iommus cimport iommu_slot, unit_of
from iopf.emulator.board.layout cimport OFF_LEDGER_KERNEL
from iopf.emulator.board.ledger cimport FATE_UNANSWERED, uid_of
from iopf.emulator.board.links cimport DOWN_SLOTS, UP_REQUEST, UP_SLOTS, downlink, pack_up, uplink
from iopf.emulator.board.progress cimport done_count
from iopf.emulator.spec.sites cimport *
from iopf.emulator.board.tenants cimport tenant
from iopf.emulator.spec.pci cimport *
from iopf.emulator.spec.program cimport FLAG_OPEN, FLAG_RID

cdef function *function_make(view *v, uint32_t dev, uint32_t window, uint32_t atc_entries) noexcept nogil:
    """The state of one function, private to its process; NULL without memory. ``atc_entries`` is a power of two."""
    cdef function *f = <function *>private_alloc(v, sizeof(function))
    cdef uint32_t i
    if f == NULL:
        return NULL
    f.v = v
    f.dev = dev
    f.d = &v.devices[dev]
    f.window = window
    f.credits = f.d.credits
    f.atc_mask = atc_entries - 1
    f.groups = <group *>private_alloc(v, window * sizeof(group))
    f.free_list = <uint16_t *>private_alloc(v, window * sizeof(uint16_t))
    f.retry_list = <uint16_t *>private_alloc(v, window * sizeof(uint16_t))
    f.batch = <uint16_t *>private_alloc(v, window * sizeof(uint16_t))
    f.atc = <atc_entry *>private_alloc(v, atc_entries * sizeof(atc_entry))
    if f.groups == NULL or f.free_list == NULL or f.retry_list == NULL or f.batch == NULL or f.atc == NULL:
        return NULL
    for i in range(window):
        f.free_list[i] = <uint16_t>(window - 1 - i)
    f.free_count = window
    for i in range(PRGI_COUNT):
        f.by_prgi[i] = NO_GROUP
    link_attach(&f.up, uplink(v, dev), UP_SLOTS, True)
    link_attach(&f.down, downlink(v, dev), DOWN_SLOTS, False)
    return f


cdef void publish(function *f) noexcept nogil:
    """Shows the IOMMU what was put on the link, with one ring of its bell."""
    cdef uint64_t n = link_publish(f.v.self, &f.up, DEV_SEND)
    if n == 0:
        return
    write64(f.v.self, &f.d.dev.sent, f.next_uid, DEV_SEND)
    bell_ring(f.v.self, crew_actor(f.v.crew, iommu_slot(f.v, unit_of(f.v, f.dev))), DEV_SEND)


cdef bint group_fits(function *f, uint32_t count) noexcept nogil:
    """Credits, a group record, a group index and room on the link."""
    return f.free_count != 0 and may_send(f, count)


cdef bint may_send(function *f, uint32_t count) noexcept nogil:
    """Credits, a group index and room on the link, for a group that has its record. The caller has seen that the tenant is bound: a
    function that was plugged in again since it last looked forgets first what it had open before."""
    if f.open_requests + count > f.credits or f.open_groups >= PRGI_COUNT or not link_fits(f, count):
        return False
    return read32(f.v.self, &f.d.resets, DEV_SEND) == f.resets


cdef bint link_fits(function *f, uint32_t count) noexcept nogil:
    if f.up.mask + 1 - (f.up.mine - f.up.theirs) >= count + 1:
        return True
    f.up.theirs = read64(f.v.self, &f.up.hdr.head, DEV_SEND)
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


cdef bint wants_private(function *f) noexcept nogil:
    """Whether the next request carries private data."""
    return f.work.private_permille != 0 and xorshift64(&f.work.rng) % 1000 < f.work.private_permille


cdef void send_request(function *f, group *g, uint64_t address, uint32_t rwx, bint last, uint64_t now) noexcept nogil:
    """One request of an open group. The caller has checked that it fits: credits, the link, and fewer than 64 in the group."""
    cdef uint64_t *slot = link_room(f.v.self, &f.up, DEV_SEND)
    cdef uint32_t place = g.count
    cdef uint64_t number = f.next_uid
    cdef bint private_data = wants_private(f)
    if f.v.cfg.controlled:
        number |= (g.serial & 0xFFFFFF) << 32  # its group, for the check of partials
    if slot == NULL:
        return
    slot[0] = pack_up(UP_REQUEST, g.pasid, not g.rid, (rwx & 4) != 0, (rwx & 8) != 0, private_data)
    # A request asks for something: one without read and write would be a stop marker.
    slot[1] = pri_message(address, g.prgi, (rwx & 3 or PRI_READ) | (PRI_LAST if last else 0))
    slot[2] = uid_of(number, place)
    slot[3] = now
    link_filled(&f.up)
    g.number[place] = number
    g.address[place] = address
    g.rwx[place] = <uint8_t>rwx
    g.count = place + 1
    g.private_data |= <uint64_t>private_data << place
    g.closed = last
    f.next_uid += 1
    f.open_requests += 1


cdef void open_group(function *f, uint16_t index, uint32_t prgi, uint64_t now) noexcept nogil:
    """Gives a group record its index and takes it into the books; it has no requests yet."""
    cdef group *g = &f.groups[index]
    g.prgi = prgi
    g.state = GROUP_OPEN
    f.serial += 1
    g.serial = f.serial
    g.sent_ticks = now
    g.count = 0
    g.closed = 0
    g.early = g.private_data = 0
    if f.by_prgi[prgi] != NO_GROUP:
        g.shared = f.groups[f.by_prgi[prgi]].shared = 1
    f.by_prgi[prgi] = index
    f.open_groups += 1
    f.d.dev.groups_sent += 1
    st64_rlx(&f.d.open_ticks[prgi], now)


cdef void send_group(function *f, group *g, uint16_t index) noexcept nogil:
    """Puts every request of the group on the link, the last one marked unless the group gets none. The caller has checked that it fits."""
    cdef uint64_t now = crew_ticks(f.v.crew)
    cdef uint32_t i, n = g.count
    open_group(f, index, take_prgi(f), now)
    for i in range(n):
        send_request(f, g, g.address[i], g.rwx[i], i + 1 == n and not g.unfinished, now)
    note_event(f.v, now, DEV_SEND, f.next_uid - g.count, <uint64_t>f.dev << 32 | g.count << 16 | g.prgi)
    st64_rlx(&f.d.dev.open_requests, f.open_requests)
    st64_rlx(&f.d.dev.open_groups, f.open_groups)


cdef void unlink_prgi(function *f, uint32_t prgi, uint16_t index) noexcept nogil:
    """The index is free again, unless another open group shares it."""
    cdef uint32_t i
    f.by_prgi[prgi] = NO_GROUP
    st64_rlx(&f.d.open_ticks[prgi], 0)
    if not f.groups[index].shared:
        return
    for i in range(f.window):
        if i != index and f.groups[i].state == GROUP_OPEN and f.groups[i].prgi == prgi:
            f.by_prgi[prgi] = <uint16_t>i


cdef uint32_t credits_held(group *g) noexcept nogil:
    """Requests of an open group that have had no answer of their own."""
    return g.count - <uint32_t>bits_set64(g.early)


cdef void leave_early(function *f, group *g) noexcept nogil:
    """A group ends without the kernel's answer: those to its requests with private data may still come."""
    if f.v.cfg.options & OPTION_EARLY_PRIVATE:
        f.early_owed += <uint32_t>bits_set64(g.private_data & ~g.early)


cdef void forget_group(function *f, uint16_t index) noexcept nogil:
    """The function gives an open group up: its credits return, and an answer that still comes matches nothing."""
    cdef group *g = &f.groups[index]
    f.d.dev.forgotten += g.count
    leave_early(f, g)
    unlink_prgi(f, g.prgi, index)
    f.open_groups -= 1
    f.open_requests -= credits_held(g)
    group_release(f, g, index)
    if g.unfinished:
        f.unfinished -= 1
    else:
        group_done(f, g.tenant)
    st64_rlx(&f.d.dev.open_requests, f.open_requests)
    st64_rlx(&f.d.dev.open_groups, f.open_groups)


cdef bint fate_unanswered(function *f, group *g) noexcept nogil:
    """The kernel's books say that the last request was dropped without an answer."""
    return fate_of(f.v, f.dev, OFF_LEDGER_KERNEL, g.prgi, uid_of(g.number[g.count - 1], g.count - 1)) == FATE_UNANSWERED


cdef void forget_all(function *f) noexcept nogil:
    """A reset (VT-d 7.9): pending requests are forgotten and their credits return."""
    cdef uint32_t i
    for i in range(f.window):
        if f.groups[i].state == GROUP_OPEN:
            forget_group(f, <uint16_t>i)
    memset(f.label_by_prgi, 0, sizeof(f.label_by_prgi))
    memset(f.d.reported, 0, sizeof(f.d.reported))


cdef bint group_hopeless(function *f, group *g) noexcept nogil:
    """No answer will come: the group has no last request, or the kernel's books say that it was dropped without an answer. A real
    function finds out by its own time-out."""
    return not g.closed or fate_unanswered(f, g)


cdef void forget_hopeless(function *f, uint32_t pasid1) noexcept nogil:
    """Gives up the open groups of a PASID (+ 1; 0: of all) that will not be answered."""
    cdef uint32_t i
    for i in range(f.window):
        if f.groups[i].state == GROUP_OPEN and (pasid1 == 0 or f.groups[i].pasid + 1 == pasid1) and group_hopeless(f, &f.groups[i]):
            forget_group(f, <uint16_t>i)


cdef uint16_t group_claim(function *f, uint32_t ten, uint32_t pasid) noexcept nogil:
    """A free record for a group of a workload; the caller has seen that there is one."""
    cdef uint16_t index
    cdef group *g
    f.free_count -= 1
    index = f.free_list[f.free_count]
    g = &f.groups[index]
    g.tenant = ten
    g.pasid = pasid
    g.retries = 0
    g.ignored = g.shared = g.rid = g.unfinished = 0
    g.label = NO_LABEL
    g.again = 0
    return index


cdef bint group_start(function *f, uint32_t ten, uint32_t pasid, const uint64_t *address, const uint8_t *rwx, uint32_t count,
                      uint32_t flags) noexcept nogil:
    """Opens a new group of 1 .. 64 requests; the caller has seen ``group_fits``. ``flags``: FLAG_RID, FLAG_OPEN, as of a record."""
    cdef uint16_t index
    cdef group *g
    cdef uint32_t i
    if f.free_count == 0:
        return False
    index = group_claim(f, ten, pasid)
    g = &f.groups[index]
    g.count = count
    g.rid = (flags & FLAG_RID) != 0
    g.unfinished = (flags & FLAG_OPEN) != 0
    f.unfinished += g.unfinished
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
    write64(f.v.self, count, count[0] + 1, DEV_RECEIVE)
    fence_at(f.v.self, DEV_RECEIVE)  # partner: the fence in the tenant's gate, after it has set gate_waiting
    t = &f.v.tenants[ten]
    if read32(f.v.self, &t.gate_waiting, DEV_RECEIVE):
        bell_ring(f.v.self, crew_actor(f.v.crew, t.actor), DEV_RECEIVE)


cdef void group_done(function *f, uint32_t ten) noexcept nogil:
    f.d.dev.groups_done += 1
    count_done(f, ten)


cdef void group_release(function *f, group *g, uint16_t index) noexcept nogil:
    g.state = GROUP_FREE
    f.free_list[f.free_count] = index
    f.free_count += 1
