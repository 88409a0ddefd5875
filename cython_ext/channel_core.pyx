# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Layout of a channel, and waiting at its ends, without the GIL. See ``channel_core.pxd``.

Waiting is some pauses, some yields, then a futex. Each wait takes the bound of its one sleep and says whether there is something to
do, so that the caller can look at signals and deadlines in between. A bound below CHANNEL_SLEEP_NS is the caller's deadline.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset


cdef uint64_t chan_bytes(uint64_t producers, uint64_t capacity) noexcept nogil:
    """Size in bytes of a channel with that many producers and links of ``capacity`` records."""
    return (sizeof(chan_header) + sizeof(iopf_crew) + (producers + CHANNEL_EXTRA_ACTORS) * sizeof(iopf_actor)
            + producers * link_bytes(capacity))


cdef uint32_t chan_layout() noexcept nogil:
    return <uint32_t>(sizeof(iopf_actor) << 16 | sizeof(iopf_crew) << 4 | 1)


cdef void chan_format(chan_header *header, uint32_t producers, uint64_t capacity, uint32_t spins, uint32_t yields) noexcept nogil:
    """Format an empty channel in ``chan_bytes`` unused bytes; the magic is written last."""
    cdef uint64_t total = chan_bytes(producers, capacity)
    cdef iopf_crew *crew
    cdef uint32_t slot
    st64_rel(&header.magic, 0)
    memset(<char *>header + 8, 0, total - 8)
    header.layout = chan_layout()
    header.producers = producers
    header.capacity = capacity
    header.bytes = total
    crew = chan_crew(header)
    crew.actors = producers + CHANNEL_EXTRA_ACTORS
    crew.spins = spins
    crew.yields = yields
    for slot in range(crew.actors):
        crew_actor(crew, slot).slot = slot
    st64_rel(&header.magic, CHANNEL_MAGIC)  # pairs with the acquire load in Channel


cdef void chan_close(chan_header *header) noexcept nogil:
    """Close the channel and wake all waiters."""
    cdef iopf_crew *crew = chan_crew(header)
    cdef iopf_actor *closer = crew_actor(crew, header.producers + 1)
    cdef uint32_t slot
    st32_rel(&header.closed, 1)  # pairs with the acquire load in chan_closed
    for slot in range(header.producers + 1):
        ec_notify(closer, bell_of(crew_actor(crew, slot)), 0xFFFF, SITE_CLOSE)


# ---- waiting

cdef bint sleep_once(iopf_actor *self, wait_condition condition, void *arg, uint64_t bound_ns, uint32_t site) noexcept nogil:
    """Spins, then sleeps once on the own bell; whether the condition holds afterwards."""
    cdef waiter w
    cdef uint32_t key
    waiter_reset(&w)
    while waiter_spin(self, &w):
        if condition(arg):
            return True
    key = ec_prepare(self, bell_of(self), site)
    if condition(arg):
        ec_cancel(self, bell_of(self), key)
        return True
    wait_sleep(self, bell_of(self), key, bound_ns, condition if bound_ns >= CHANNEL_SLEEP_NS else <wait_condition>NULL, arg, site)
    return condition(arg) != NOTHING


cdef uint64_t room_there(void *arg) noexcept nogil:
    cdef chan_out *out = <chan_out *>arg
    if chan_closed(out.header):
        return THERE
    if link_room(out.actor, &out.end, SITE_WAIT_ROOM) is NULL:
        return NOTHING
    # With less than half of the link free the consumer had no reason to ring yet.
    return THERE if (out.end.mine - out.end.theirs) * 2 <= out.end.mask else UNRUNG


cdef bint out_wait(chan_out *out, uint64_t bound_ns) noexcept nogil:
    """True when there is room or the channel is closed, false when a sleep has ended without either."""
    return sleep_once(out.actor, room_there, out, bound_ns, SITE_WAIT_ROOM)


cdef uint64_t in_take(chan_in *inn, char *into, uint64_t most) noexcept nogil:
    """Copy up to ``most`` records from all sources; return their number."""
    cdef uint64_t done = 0, count, until_wrap
    cdef link_end *e
    while done < most and in_find(inn):
        e = &inn.at.end
        count = min(e.theirs - e.mine, most - done)
        until_wrap = e.mask + 1 - (e.mine & e.mask)
        if count > until_wrap:
            count = until_wrap
        memcpy(into + done * CHANNEL_RECORD_BYTES, in_record(inn), count * CHANNEL_RECORD_BYTES)
        in_took(inn, count)
        done += count
    return done


cdef void in_look_all(chan_in *inn) noexcept nogil:
    cdef uint32_t i
    for i in range(inn.count):
        if inn.sources[i].looked != inn.sources[i].end.mine:
            in_look(inn, &inn.sources[i])


cdef uint64_t record_there(void *arg) noexcept nogil:
    return THERE if in_find(<chan_in *>arg) or chan_closed((<chan_in *>arg).header) else NOTHING


cdef bint in_wait(chan_in *inn, uint64_t bound_ns) noexcept nogil:
    """True when there is a record or the channel is closed, false when a sleep has ended without either."""
    in_look_all(inn)
    return sleep_once(inn.actor, record_there, inn, bound_ns, SITE_WAIT_WORK)
