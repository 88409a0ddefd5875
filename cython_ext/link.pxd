# cython: language_level=3, cdivision=True
"""The link: a single-producer, single-consumer ring of 64-byte records between two processes.

    tail    the producer writes (release) after the records up to it; the consumer reads (acquire)
    head    the consumer writes (release) after it has copied the records; the producer reads (acquire)
    slots   the producer writes while it owns them (tail .. head + capacity), the consumer reads in head .. tail
Indices grow for ever (64 bits) and are masked on use. Each side keeps the other's index in its own process and
asks for it again only when the ring looks full or empty, as it does right after attaching.

    operation        against push/publish   against pop/consume
    push, publish    X (one producer)       free
    pop, consume     free                   X (one consumer)

A producer killed at any instruction loses what it had not published; a consumer killed at any instruction makes its successor see
again what it had not consumed. No state is left in between, so nothing needs repair. An index that the other side left out of range
is a verdict, and the ring counts as empty (full).
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
    uint64_t theirs            # the other side's index as last seen

cdef inline uint64_t link_bytes(uint64_t capacity) noexcept nogil:
    return LINK_HEADER_BYTES + capacity * LINK_WORDS * 8

cdef inline void link_attach(link_end *e, char *base, uint64_t capacity, bint producer) noexcept nogil:
    """``capacity`` is a power of two, taken from the board's configuration and never from the ring itself."""
    e.hdr = <linkhdr *>base
    e.slots = <uint64_t *>(base + LINK_HEADER_BYTES)
    e.mask = capacity - 1
    # The other side's index is taken for the one that makes us look, and the look is where it is checked.
    if producer:
        e.mine = ld64_acq(&e.hdr.tail)
        e.theirs = e.mine - capacity
    else:
        e.mine = ld64_acq(&e.hdr.head)
        e.theirs = e.mine
    e.published = e.mine

cdef inline uint64_t *link_room(iopf_actor *self, link_end *e, uint32_t site) noexcept nogil:
    """The slot to fill next, or NULL when the ring is full. Fill it, then ``link_filled``."""
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
    """Makes the filled slots visible; returns how many there were. The caller then rings, once per batch."""
    cdef uint64_t n = e.mine - e.published
    if n:
        point(self, site << 8 | OP_LINK_PUBLISH, &e.hdr.tail, ACC_WRITE)
        st64_rel(&e.hdr.tail, e.mine)  # partner: the acquire load in link_next
        e.published = e.mine
    return n

cdef inline uint64_t *link_next(iopf_actor *self, link_end *e, uint32_t site) noexcept nogil:
    """The next record to read, or NULL when there is none. Then ``link_taken``, and ``link_consume`` once per batch."""
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
    """Gives the slots read so far back to the producer."""
    if e.published != e.mine:
        point(self, site << 8 | OP_LINK_CONSUME, &e.hdr.head, ACC_WRITE)
        st64_rel(&e.hdr.head, e.mine)  # partner: the acquire load in link_room
        e.published = e.mine

# Several at once: one look at the other side for the whole batch.

cdef inline uint64_t link_room_many(iopf_actor *self, link_end *e, uint64_t most, uint32_t site) noexcept nogil:
    """How many slots, up to ``most``, may be filled from ``link_slot(e, 0)`` on. Then ``link_moved``."""
    cdef uint64_t room = e.mask + 1 - (e.mine - e.theirs)
    if room < most or room > e.mask + 1:
        if link_room(self, e, site) == NULL:
            return 0
        point(self, site << 8 | OP_LINK_READ_HEAD, &e.hdr.head, ACC_READ)
        e.theirs = ld64_acq(&e.hdr.head)
        room = e.mask + 1 - (e.mine - e.theirs)
        if room > e.mask + 1:
            return 0  # out of range: link_room says so at the next look
    return most if most < room else room

cdef inline uint64_t link_next_many(iopf_actor *self, link_end *e, uint64_t most, uint32_t site) noexcept nogil:
    """How many records, up to ``most``, may be read from ``link_slot(e, 0)`` on. Then ``link_moved``."""
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
    """Whether the consumer would find a record; for the re-check before sleeping."""
    if e.mine != e.theirs:
        return True
    point(self, site << 8 | OP_LINK_READ_TAIL, &e.hdr.tail, ACC_READ)
    return ld64_acq(&e.hdr.tail) != e.mine
