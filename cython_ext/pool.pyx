# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Moving batches between an actor's magazine and the shared chain. See ``pool.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *


cdef uint32_t pool_grab(iopf_actor *self, pool *p, uint32_t site) noexcept nogil:
    """Move up to one batch from the shared chain into the empty magazine; return its size."""
    cdef iopf_magazine *mag = &self.magazine[p.cls]
    cdef uint64_t word, tag
    cdef uint32_t first, last, after, n
    while True:
        point(self, site << 8 | OP_POOL_GRAB, &p.free_word, ACC_RMW)
        word = ld64_acq(&p.free_word)
        first = <uint32_t>word
        if first == 0:
            return 0
        if iopf_unlikely(first > p.capacity):
            verdict_raise(self, VERDICT_BAD_WORD, p.cls, first, 0, 0, 1, site)
            return 0
        # The chain may change during this walk; then the tag differs and the swap fails. Indices are checked before use.
        last = first
        n = 1
        after = ld32_rlx(&pool_slot(p, last - 1).free_next)
        while n < p.batch and after != 0 and after <= p.capacity:
            last = after
            after = ld32_rlx(&pool_slot(p, last - 1).free_next)
            n += 1
        if iopf_unlikely(after > p.capacity):
            if ld64_acq(&p.free_word) != word:
                continue
            verdict_raise(self, VERDICT_BAD_WORD, p.cls, after, 0, 0, 7, site)
            return 0
        tag = (word >> 32) + 1
        if cas64(&p.free_word, word, tag << 32 | after):
            pool_slot(p, last - 1).free_next = 0
            mag.head = first
            mag.count = n
            return n


cdef void pool_flush(iopf_actor *self, pool *p, uint32_t keep, uint32_t site) noexcept nogil:
    """Return all but ``keep`` slots of the magazine to the shared chain in one swap."""
    cdef iopf_magazine *mag = &self.magazine[p.cls]
    cdef uint32_t first = mag.head, last, n
    cdef uint64_t word
    if mag.count <= keep or first == 0:
        return
    n = mag.count - keep
    mag.count = keep
    last = first
    while n > 1:
        last = pool_slot(p, last - 1).free_next
        n -= 1
    mag.head = pool_slot(p, last - 1).free_next
    while True:
        point(self, site << 8 | OP_POOL_GRAB, &p.free_word, ACC_RMW)
        word = ld64_rlx(&p.free_word)
        st32_rlx(&pool_slot(p, last - 1).free_next, <uint32_t>word)
        if cas64(&p.free_word, word, ((word >> 32) + 1) << 32 | first):
            return


cdef void list_verdict(iopf_actor *self, pool *p, uint32_t index1, listhead *l, uint32_t what, uint32_t site) noexcept nogil:
    cdef uint32_t other = 0
    cdef uint64_t generation = 0
    if 0 < index1 <= p.capacity:
        other = pool_slot(p, index1 - 1).free_actor
        generation = pool_slot(p, index1 - 1).generation
    verdict_raise(self, VERDICT_LIST, p.cls, index1, generation, other, <uint64_t>l.id << 8 | what, site)


cdef void pool_format(pool *p, uint64_t offset, uint32_t capacity, uint32_t stride, uint32_t cls, uint32_t batch) noexcept nogil:
    """Free every slot, in order, before any actor runs. ``stride`` is a multiple of 64."""
    cdef uint32_t i
    cdef objhdr *obj
    p.capacity = capacity
    p.stride = stride
    p.offset = offset
    p.cls = cls
    p.batch = batch
    p.fail_nth = 0
    for i in range(capacity):
        obj = pool_slot(p, i)
        obj.generation = 1
        obj.index1 = i + 1
        obj.state = OBJ_FREE
        obj.free_next = i + 2 if i + 1 < capacity else 0
        obj.next = obj.prev = obj.list = 0
    st64_rel(&p.free_word, <uint64_t>1 << 32 | (1 if capacity else 0))


cdef uint32_t pool_live(pool *p) noexcept nogil:
    """Number of live objects; exact when no actor runs."""
    cdef uint32_t i, n = 0
    for i in range(p.capacity):
        if ld32_rlx(&pool_slot(p, i).state) == OBJ_LIVE:
            n += 1
    return n


cdef uint32_t pool_chain(pool *p) noexcept nogil:
    """Length of the shared free chain, when no actor runs. More than the capacity means a cycle."""
    cdef uint32_t n = 0, at = <uint32_t>ld64_acq(&p.free_word)
    while at != 0 and at <= p.capacity and n <= p.capacity:
        n += 1
        at = pool_slot(p, at - 1).free_next
    return n
