# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The channel: a queue of 64-byte records from many producers to one consumer, without state shared by two producers.

Every producer has its own link (``link.pxd``), so there is no common reservation, and a producer that is killed at any instruction does
not block others: its published records are read, an unpublished one is lost, and a successor continues at its tail. Sleeping and
waking use the doorbells of a small crew inside the channel.

    header          the creator writes it once, ``magic`` last (release); an attaching process reads ``magic`` first (acquire)
    closed          any process stores 1 (release); every side reads it before and after waiting
    link tail       its producer writes; the consumer reads
    link head       the consumer writes; its producer reads, and only when its link looks full
    consumer bell   the consumer waits; every producer rings, once per published batch
    producer bell   that producer waits when its link is full; the consumer rings after taking half of the link since its last
                        check, and for all links before it waits itself
    actor work[0]   the claim (``channel_claim.pxd``): compare-and-swap by the new owner (0 = free)

Concurrency: every end against every other end, and ``close`` against all. An end belongs to one process and one thread at a time.
The private indices of an end are read again in a forked child.

No wake-up is lost. Producer: publish, fence, check for waiters; consumer: announce the wait (a locked add), check every link,
sleep: one of the two sees the other. The same holds in the opposite direction for room, except that the consumer checks for a waiting
producer only at every half link. A producer sleeps with its link full, so that check happens while it sleeps, at the latest when half
of the link is free or the consumer finds nothing to read.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.link cimport *
from iopf.cython_ext.wait cimport *

cdef enum:
    CHANNEL_RECORD_BYTES = 64
    CHANNEL_PRODUCERS_MAX = 256
    CHANNEL_CAPACITY_MAX = 1048576
    CHANNEL_SLEEP_NS = 100000000   # the bound of a sleep, so that signals and a close are seen even if a wake-up is lost
    CHANNEL_EXTRA_ACTORS = 2   # after the producers: the consumer, and the closing process
    # Sites, for an observer of scheduling points: where in the channel an actor stands.
    SITE_PUT = 1
    SITE_GET = 2
    SITE_WAIT_ROOM = 3
    SITE_WAIT_WORK = 4
    SITE_CLOSE = 5

cdef enum:
    CHANNEL_MAGIC = 0x6C6E6E6168436669   # "ifChannl", read as a little-endian word

cdef struct chan_header:
    uint64_t magic
    uint32_t layout            # sizes of the shared structures, so that another build is refused
    uint32_t producers
    uint64_t capacity          # records per link, a power of two
    uint64_t bytes             # of the whole channel
    uint32_t closed
    uint32_t pad0
    uint64_t pad1[3]

cdef struct chan_out:
    link_end end
    iopf_actor *actor
    iopf_actor *reader
    chan_header *header

cdef struct chan_source:
    link_end end
    iopf_actor *writer
    uint64_t looked            # our index when the writer's bell was last looked at

cdef struct chan_in:
    iopf_actor *actor
    chan_header *header
    chan_source *sources
    chan_source *at            # the source whose turn it is
    uint32_t count

cdef inline iopf_crew *chan_crew(chan_header *header) noexcept nogil:
    return <iopf_crew *>(<char *>header + sizeof(chan_header))

cdef inline char *chan_link(chan_header *header, uint32_t index) noexcept nogil:
    cdef char *links = <char *>crew_actor(chan_crew(header), header.producers + CHANNEL_EXTRA_ACTORS)
    return links + index * link_bytes(header.capacity)

cdef uint64_t chan_bytes(uint64_t producers, uint64_t capacity) noexcept nogil
cdef uint32_t chan_layout() noexcept nogil
cdef void chan_format(chan_header *header, uint32_t producers, uint64_t capacity, uint32_t spins, uint32_t yields) noexcept nogil
cdef void chan_close(chan_header *header) noexcept nogil

cdef inline bint chan_closed(chan_header *header) noexcept nogil:
    return ld32_acq(&header.closed) != 0  # partner: the release store in chan_close

# ---- the producer's side

cdef inline uint64_t out_put(chan_out *out, const char *records, uint64_t count) noexcept nogil:
    """Copies as many of ``count`` records as there is room for; returns how many. Then ``out_publish``."""
    cdef link_end *e = &out.end
    cdef uint64_t *slot = link_room(out.actor, e, SITE_PUT)
    cdef uint64_t room, until_wrap
    if slot is NULL:
        return 0
    if count == 1:
        memcpy(slot, records, CHANNEL_RECORD_BYTES)
        link_filled(e)
        return 1
    room = e.mask + 1 - (e.mine - e.theirs)
    if count > room:
        count = room
    until_wrap = e.mask + 1 - (e.mine & e.mask)
    if count <= until_wrap:
        memcpy(slot, records, count * CHANNEL_RECORD_BYTES)
    else:
        memcpy(slot, records, until_wrap * CHANNEL_RECORD_BYTES)
        memcpy(e.slots, records + until_wrap * CHANNEL_RECORD_BYTES, (count - until_wrap) * CHANNEL_RECORD_BYTES)
    e.mine += count
    return count

cdef inline void out_publish(chan_out *out) noexcept nogil:
    """Shows what was put to the consumer, and wakes it if it sleeps: one doorbell per batch."""
    if link_publish(out.actor, &out.end, SITE_PUT):
        bell_ring(out.actor, out.reader, SITE_PUT)

cdef bint out_wait(chan_out *out, uint64_t bound_ns) noexcept nogil

# ---- the consumer's side

cdef inline bint in_find(chan_in *inn) noexcept nogil:
    """Whether there is a record; turns to the next source that has one when the present one is read up.

    A source keeps its turn for what was published when its turn began, so a busy producer cannot starve the others.
    """
    cdef uint32_t _tried
    if inn.at.end.mine != inn.at.end.theirs:
        return True
    for _tried in range(inn.count):
        inn.at += 1
        if inn.at == inn.sources + inn.count:
            inn.at = inn.sources
        if link_next(inn.actor, &inn.at.end, SITE_GET) is not NULL:
            return True
    return False

cdef inline void in_look(chan_in *inn, chan_source *source) noexcept nogil:
    """Rings a producer that sleeps for room."""
    source.looked = source.end.mine
    bell_ring(inn.actor, source.writer, SITE_GET)

cdef inline void in_took(chan_in *inn, uint64_t count) noexcept nogil:
    """Gives ``count`` records of the present source back, after they were copied."""
    cdef chan_source *source = inn.at
    source.end.mine += count
    link_consume(inn.actor, &source.end, SITE_GET)
    if (source.end.mine - source.looked) * 2 > source.end.mask:
        in_look(inn, source)

cdef inline char *in_record(chan_in *inn) noexcept nogil:
    """The record to read after ``in_find`` said that there is one."""
    return <char *>(inn.at.end.slots + (inn.at.end.mine & inn.at.end.mask) * LINK_WORDS)

cdef uint64_t in_take(chan_in *inn, char *into, uint64_t most) noexcept nogil
cdef bint in_wait(chan_in *inn, uint64_t bound_ns) noexcept nogil
