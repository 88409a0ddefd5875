# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The work ring: multiple producers and consumers, FIFO order, and a flush that waits for exactly the items queued before it.

Each slot carries one word, ``position << 20 | owner << 4 | state``, and seven words of payload. For position p of a ring of N:

    FREE(p) --producer: CAS--> RESERVED(p) --store--> READY(p) --consumer: CAS--> TAKEN(p) --store--> DONE(p) --CAS--> FREE(p + N)

    slot word   as above; ``owner`` is the crew slot + 1 of the actor that reserved or took it
    payload     the owner of RESERVED writes, the owner of TAKEN reads
    tail        first position not yet published, a hint that every producer may advance
    head        first position not yet taken, the same
    floor       first position not yet done, the same; a flush waits for it to reach the tail it saw

The CAS on the slot word is the reservation, so the slot identifies a process that dies in between. ``work_repair`` turns the
positions that a dead producer reserved and a dead consumer took into DONE, counts them as lost and wakes the consumers, which may have
missed a notification. Until then a reserved position blocks the positions after it; a taken one blocks only flushes.

Waking: a producer rings only if no consumer is awake and searching (``searching``), or if there are more items than those can take.
The last searching consumer that finds an item while more are waiting rings for another consumer. Before a consumer sleeps it prepares,
stops counting itself, and checks once more. Its locked add pairs with the producer's fence, so either it sees the item or the
producer sees no searching consumer.

Concurrency: push, pop, done, flush and repair, all against all.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *

cdef enum:
    WORK_FREE = 0
    WORK_RESERVED = 1
    WORK_READY = 2
    WORK_TAKEN = 3
    WORK_DONE = 4
    WORK_PAYLOAD = 7

cdef struct workslot:
    uint64_t word
    uint64_t payload[7]

cdef struct workring:
    uint64_t tail
    uint64_t pad0[7]
    uint64_t head
    uint64_t pad1[7]
    uint64_t floor
    uint64_t lost
    uint64_t pad2[6]
    eventcount bell            # consumers sleep here
    uint64_t pad3[7]
    eventcount idle            # flushers sleep here
    uint32_t flushers
    uint32_t count             # slots, a power of two
    uint32_t cls               # lock class of waiting on this ring
    uint32_t searching         # consumers awake without work; each counts itself
    uint64_t pad5[5]
    # slots follow

cdef inline uint64_t work_word(uint64_t position, uint32_t owner1, uint32_t state) noexcept nogil:
    return position << 20 | <uint64_t>owner1 << 4 | state

cdef inline workslot *work_slot(workring *r, uint64_t position) noexcept nogil:
    return <workslot *>(<char *>r + sizeof(workring)) + (position & (r.count - 1))

cdef void work_format(workring *r, uint32_t count, uint32_t cls) noexcept nogil
cdef int work_push(iopf_actor *self, workring *r, const uint64_t *payload, uint32_t words, uint32_t site) noexcept nogil
cdef int work_pop(iopf_actor *self, workring *r, uint64_t *payload, uint64_t *position, uint32_t site) noexcept nogil
cdef void work_done(iopf_actor *self, workring *r, uint64_t position, uint32_t site) noexcept nogil
cdef int work_flush(iopf_actor *self, workring *r, uint64_t timeout_ns, uint32_t site) noexcept nogil
cdef uint32_t work_repair(iopf_actor *self, workring *r, uint32_t dead_slot, uint32_t site) noexcept nogil
cdef void work_settle(iopf_actor *self, workring *r, uint32_t site) noexcept nogil

cdef inline bint work_waiting(iopf_actor *self, workring *r, uint32_t site) noexcept nogil:
    """Whether a consumer would find an item; for the check before sleeping."""
    cdef uint64_t head = read64(self, &r.head, site)
    cdef uint64_t word = read64(self, &work_slot(r, head).word, site)
    # A slot of an earlier lap is still TAKEN: the ring is full, and there is nothing to take.
    return (word >> 20) > head or ((word >> 20) == head and (word & 15) >= WORK_READY)

cdef inline uint64_t work_backlog(iopf_actor *self, workring *r, uint32_t site) noexcept nogil:
    """Number of positions queued and not yet taken, as seen by a reader."""
    cdef uint64_t head = read64(self, &r.head, site), tail = read64(self, &r.tail, site)
    return tail - head if tail > head else 0

cdef inline void work_ring_bell(iopf_actor *self, workring *r, workring *first, uint32_t site) noexcept nogil:
    """After a push into ``r``: wake one consumer, unless the searching ones will find the item anyway. Consumers of several rings
    sleep and count themselves at the ``first``."""
    fence_at(self, site)  # pairs with the locked add in work_search_end, or ec_prepare
    if work_backlog(self, r, site) > read32(self, &first.searching, site):
        ec_notify(self, &first.bell, 1, site)

cdef inline void work_search_begin(iopf_actor *self, workring *r, uint32_t site) noexcept nogil:
    st64_rel(&self.searching, 1)  # before the count: a death in between makes the repair's count too low, never too high
    add32(self, &r.searching, 1, site)

cdef inline void work_search_less(iopf_actor *self, workring *r, uint32_t site) noexcept nogil:
    """Decrement, not below zero: a low count costs a needless ring, a high one would lose a wake-up."""
    cdef uint32_t n
    while True:
        point(self, site << 8 | OP_FIELD_RMW, &r.searching, ACC_RMW)
        n = ld32_rlx(&r.searching)
        if n == 0:
            fence()
            return
        if cas32(&r.searching, n, n - 1):
            return

cdef inline void work_search_end(iopf_actor *self, workring *r, bint found, uint32_t site) noexcept nogil:
    """Stop counting as searching. With ``found`` and more items waiting, wake another consumer."""
    work_search_less(self, r, site)
    st64_rel(&self.searching, 0)
    if found and work_backlog(self, r, site) > read32(self, &r.searching, site):
        ec_notify(self, &r.bell, 1, site)
