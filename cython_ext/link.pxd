# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The link: a single-producer, single-consumer ring of 64-byte records between two processes.

    tail    the producer writes (release) after the records up to it; the consumer reads (acquire)
    head    the consumer writes (release) after it has copied the records; the producer reads (acquire)
    slots   the producer writes while it owns them (tail .. head + capacity), the consumer reads in head .. tail
Indices grow without limit (64 bits) and are masked on use. Each side caches the other's index in its own process and reads it again
only when the ring looks full or empty, as it does right after attaching.

    operation        against push/publish   against pop/consume
    push, publish    X (one producer)       free
    pop, consume     free                   X (one consumer)

A producer killed at any instruction loses its unpublished records; a consumer killed at any instruction lets its successor see its
unconsumed records again. There is no intermediate state, so no repair is needed. An index out of range is a verdict against the other
side, and the ring counts as empty (full).
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *

cdef enum:
    LINK_WORDS = 8             # 64-bit words in a record
    LINK_HEADER_BYTES = 128

cdef struct linkhdr:
    uint64_t tail
    uint64_t pad0[7]
    uint64_t head
    uint64_t pad1[7]

cdef struct link_end:
    linkhdr *hdr
    uint64_t *slots
    uint64_t mask
    uint64_t mine              # producer: next slot to fill; consumer: next slot to read
    uint64_t published         # producer: tail as stored; consumer: head as stored
    uint64_t theirs            # cached index of the other side

cdef inline uint64_t link_bytes(uint64_t capacity) noexcept nogil:
    return LINK_HEADER_BYTES + capacity * LINK_WORDS * 8

cdef inline void link_attach(link_end *e, char *base, uint64_t capacity, bint producer) noexcept nogil:
    """``capacity`` is a power of two, taken from the board's configuration and never from the ring itself."""
    e.hdr = <linkhdr *>base
    e.slots = <uint64_t *>(base + LINK_HEADER_BYTES)
    e.mask = capacity - 1
    # Starts with the value that forces a read of the other side's index, which checks it.
    if producer:
        e.mine = ld64_acq(&e.hdr.tail)
        e.theirs = e.mine - capacity
    else:
        e.mine = ld64_acq(&e.hdr.head)
        e.theirs = e.mine
    e.published = e.mine

cdef inline uint64_t *link_room(iopf_actor *self, link_end *e, uint32_t site) noexcept nogil:
    """The next slot to fill, or NULL when the ring is full. Fill it, then call ``link_filled``."""
    if iopf_unlikely(e.mine - e.theirs > e.mask):
        point(self, site << 8 | OP_LINK_READ_HEAD, &e.hdr.head, ACC_READ)
        e.theirs = ld64_acq(&e.hdr.head)
        if e.mine - e.theirs > e.mask:
            if e.mine - e.theirs > e.mask + 1:
                verdict_raise(self, VERDICT_BAD_WORD, 0, e.theirs, e.mine, 0, 2, site)
                e.theirs = e.mine - e.mask - 1
            return NULL
    return e.slots + (e.mine & e.mask) * LINK_WORDS

cdef inline void link_filled(link_end *e) noexcept nogil:
    e.mine += 1

cdef inline uint64_t link_publish(iopf_actor *self, link_end *e, uint32_t site) noexcept nogil:
    """Publish the filled slots; return their number. The caller then rings, once per batch."""
    cdef uint64_t n = e.mine - e.published
    if n:
        point(self, site << 8 | OP_LINK_PUBLISH, &e.hdr.tail, ACC_WRITE)
        st64_rel(&e.hdr.tail, e.mine)  # pairs with the acquire load in link_next
        e.published = e.mine
    return n

cdef inline uint64_t *link_next(iopf_actor *self, link_end *e, uint32_t site) noexcept nogil:
    """The next record to read, or NULL when there is none. Then call ``link_taken``, and ``link_consume`` once per batch."""
    if e.mine == e.theirs:
        point(self, site << 8 | OP_LINK_READ_TAIL, &e.hdr.tail, ACC_READ)
        e.theirs = ld64_acq(&e.hdr.tail)
        if e.mine == e.theirs:
            return NULL
        if iopf_unlikely(e.theirs - e.mine > e.mask + 1):
            verdict_raise(self, VERDICT_BAD_WORD, 0, e.theirs, e.mine, 0, 3, site)
            e.theirs = e.mine
            return NULL
    return e.slots + (e.mine & e.mask) * LINK_WORDS

cdef inline void link_taken(link_end *e) noexcept nogil:
    e.mine += 1

cdef inline void link_consume(iopf_actor *self, link_end *e, uint32_t site) noexcept nogil:
    """Return the slots read so far to the producer."""
    if e.published != e.mine:
        point(self, site << 8 | OP_LINK_CONSUME, &e.hdr.head, ACC_WRITE)
        st64_rel(&e.hdr.head, e.mine)  # pairs with the acquire load in link_room
        e.published = e.mine

# Batches: one read of the other side's index per batch.

cdef inline uint64_t link_room_many(iopf_actor *self, link_end *e, uint64_t most, uint32_t site) noexcept nogil:
    """Number of slots, up to ``most``, that can be filled from ``link_slot(e, 0)`` on. Then call ``link_moved``."""
    cdef uint64_t room = e.mask + 1 - (e.mine - e.theirs)
    if room < most or room > e.mask + 1:
        if link_room(self, e, site) == NULL:
            return 0
        point(self, site << 8 | OP_LINK_READ_HEAD, &e.hdr.head, ACC_READ)
        e.theirs = ld64_acq(&e.hdr.head)
        room = e.mask + 1 - (e.mine - e.theirs)
        if room > e.mask + 1:
            return 0  # out of range: link_room raises the verdict at the next call
    return most if most < room else room

cdef inline uint64_t link_next_many(iopf_actor *self, link_end *e, uint64_t most, uint32_t site) noexcept nogil:
    """Number of records, up to ``most``, that can be read from ``link_slot(e, 0)`` on. Then call ``link_moved``."""
    cdef uint64_t there = e.theirs - e.mine
    if there == 0:
        if link_next(self, e, site) == NULL:
            return 0
        there = e.theirs - e.mine
    return most if most < there else there

cdef inline uint64_t *link_slot(link_end *e, uint64_t ahead) noexcept nogil:
    return e.slots + ((e.mine + ahead) & e.mask) * LINK_WORDS

cdef inline void link_moved(link_end *e, uint64_t n) noexcept nogil:
    e.mine += n

cdef inline bint link_waiting(iopf_actor *self, link_end *e, uint32_t site) noexcept nogil:
    """Whether the consumer would find a record; for the check before sleeping."""
    if e.mine != e.theirs:
        return True
    point(self, site << 8 | OP_LINK_READ_TAIL, &e.hdr.tail, ACC_READ)
    return ld64_acq(&e.hdr.tail) != e.mine
