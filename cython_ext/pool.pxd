# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Pools of kernel objects: fixed size, generations, poison, and lists that check their nodes.

A pool is an array of equal slots; each begins with ``objhdr``. Free slots are linked in one shared chain (``free_word``: tag << 32
| index + 1). An actor takes up to ``batch`` slots from it at a time into its magazine and allocates from there; frees go into the
magazine and return to the chain in batches. So the shared word is accessed once per batch.

    generation, state   one 64-bit word (``obj_word``): alloc, free and deref each access it once
    free_word     any actor, compare-and-swap; the tag changes with every change, so an outdated chain is never installed
    free_next     the current owner of the slot: the chain's next, valid while the slot is free
    magazine      its actor only
    generation    incremented by each free; state is LIVE between alloc and free, FREE otherwise
    next, prev, list   the holder of the lock of the list that the node is on

References are ``generation << 32 | index + 1``; 0 is no reference. ``pool_deref`` compares: a stale one is a verdict with the class,
the object, the freeing and the using actor. The body of a freed object is filled with 0x6b if the crew asks for poison.

Concurrency: alloc, free and deref of different objects, all against all. A process killed in between loses at most the slots that it
was moving (one batch); ``capacity - reachable`` counts them. Its magazine (less than two batches) stays reachable, but other actors
cannot allocate from it.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *

cdef enum:
    OBJ_FREE = 0x6F4AEE00
    OBJ_LIVE = 0x6F4A11FE
    POOL_POISON = 0x6B

cdef struct objhdr:
    uint32_t generation
    uint32_t state
    uint32_t free_next
    uint32_t next        # index + 1
    uint32_t prev
    uint16_t list        # id of the list the node is on; 0: none
    uint16_t free_site   # site of the free
    uint16_t alloc_actor
    uint16_t free_actor
    uint32_t index1      # own index + 1; written once

cdef struct pool:
    uint64_t free_word
    uint32_t capacity
    uint32_t stride
    uint64_t offset      # of slot 0, from the pool's own address
    uint32_t cls         # index of the actor's magazine, and name in verdicts
    uint32_t batch
    uint32_t fail_nth    # the n-th allocation from now fails once; 0: none
    uint32_t pad0
    uint64_t pad1[3]

cdef struct listhead:
    uint32_t first       # index + 1
    uint32_t last
    uint32_t count
    uint32_t id          # never 0

cdef uint32_t pool_grab(iopf_actor *self, pool *p, uint32_t site) noexcept nogil
cdef void pool_flush(iopf_actor *self, pool *p, uint32_t keep, uint32_t site) noexcept nogil
cdef void list_verdict(iopf_actor *self, pool *p, uint32_t index1, listhead *l, uint32_t what, uint32_t site) noexcept nogil

cdef inline objhdr *pool_slot(pool *p, uint32_t index) noexcept nogil:
    return <objhdr *>(<char *>p + p.offset + <uint64_t>index * p.stride)

cdef inline uint64_t pool_ref(pool *p, objhdr *obj) noexcept nogil:
    return <uint64_t>obj.generation << 32 | obj.index1

cdef inline uint64_t obj_word(uint64_t generation, uint32_t state) noexcept nogil:
    """Generation and state as stored in memory."""
    return <uint64_t><uint32_t>generation | <uint64_t>state << 32

cdef inline uint32_t ref_index(uint64_t ref) noexcept nogil:
    return <uint32_t>ref - 1

cdef inline objhdr *pool_alloc(iopf_actor *self, pool *p, uint32_t site) noexcept nogil:
    """Allocate an object with a zeroed body, or NULL (the caller's -ENOMEM)."""
    cdef iopf_magazine *mag = &self.magazine[p.cls]
    cdef objhdr *obj
    cdef uint32_t n
    point(self, site << 8 | OP_POOL_ALLOC, &p.fail_nth, ACC_READ)
    n = ld32_rlx(&p.fail_nth)
    while iopf_unlikely(n != 0):
        point(self, site << 8 | OP_POOL_ALLOC, &p.fail_nth, ACC_RMW)
        if cas32(&p.fail_nth, n, n - 1):
            break
        n = ld32_rlx(&p.fail_nth)
    if iopf_unlikely(n == 1):
        mag.fails += 1
        return NULL
    if mag.head == 0 and pool_grab(self, p, site) == 0:
        mag.fails += 1
        return NULL
    obj = pool_slot(p, mag.head - 1)
    mag.head = obj.free_next
    mag.count -= 1
    mag.allocs += 1
    if iopf_unlikely(obj.state != OBJ_FREE):
        verdict_raise(self, VERDICT_DOUBLE_FREE, p.cls, pool_ref(p, obj), obj.generation, obj.free_actor, 1, site)
        return NULL
    memset(<char *>obj + sizeof(objhdr), 0, p.stride - sizeof(objhdr))
    obj.next = obj.prev = obj.list = 0
    obj.alloc_actor = <uint16_t>self.slot
    point(self, site << 8 | OP_POOL_ALLOC, obj, ACC_WRITE)
    st64_rel(<uint64_t *>obj, obj_word(obj.generation, OBJ_LIVE))
    return obj

cdef inline void pool_free(iopf_actor *self, pool *p, objhdr *obj, uint32_t site) noexcept nogil:
    cdef iopf_magazine *mag = &self.magazine[p.cls]
    cdef uint64_t ref, word
    point(self, site << 8 | OP_POOL_FREE, obj, ACC_RMW)
    word = ld64_rlx(<uint64_t *>obj)
    ref = word << 32 | obj.index1
    if iopf_unlikely(word >> 32 != OBJ_LIVE or not cas64(<uint64_t *>obj, word, obj_word(word + 1, OBJ_FREE))):
        verdict_raise(self, VERDICT_DOUBLE_FREE, p.cls, ref, obj.generation, obj.free_actor, 0, site)
        return
    if iopf_unlikely(obj.list != 0):
        verdict_raise(self, VERDICT_LIST, p.cls, ref, obj.generation, obj.alloc_actor, 4, site)
    obj.free_actor = <uint16_t>self.slot
    obj.free_site = <uint16_t>site
    if crew_of(self).poison:
        memset(<char *>obj + sizeof(objhdr), POOL_POISON, p.stride - sizeof(objhdr))
    obj.free_next = mag.head
    mag.head = ref_index(ref) + 1
    mag.count += 1
    mag.frees += 1
    if p.batch == 1:
        pool_flush(self, p, 0, site)
    elif mag.count >= 2 * p.batch:
        pool_flush(self, p, p.batch, site)

cdef inline objhdr *pool_deref(iopf_actor *self, pool *p, uint64_t ref, uint32_t site) noexcept nogil:
    """The live object of a reference, or NULL after a verdict (stale, freed or never valid)."""
    cdef uint32_t index = ref_index(ref)
    cdef objhdr *obj
    if iopf_unlikely(index >= p.capacity):
        verdict_raise(self, VERDICT_BAD_WORD, p.cls, ref, 0, 0, 0, site)
        return NULL
    obj = pool_slot(p, index)
    point(self, site << 8 | OP_POOL_DEREF, obj, ACC_READ)
    if iopf_unlikely(ld64_acq(<uint64_t *>obj) != obj_word(ref >> 32, OBJ_LIVE)):
        verdict_raise(self, VERDICT_USE_AFTER_FREE, p.cls, ref, obj.generation, obj.free_actor, obj.free_site, site)
        return NULL
    return obj

cdef inline bint pool_held(iopf_actor *self, pool *p, objhdr *obj, uint32_t site) noexcept nogil:
    """Check that the object of a kept pointer is live; a verdict if not. A reallocated object is not detected; a caller that may meet
    one keeps the reference instead."""
    point(self, site << 8 | OP_POOL_DEREF, obj, ACC_READ)
    if iopf_likely(ld64_acq(<uint64_t *>obj) >> 32 == OBJ_LIVE):
        return True
    verdict_raise(self, VERDICT_USE_AFTER_FREE, p.cls, pool_ref(p, obj), obj.generation, obj.free_actor, obj.free_site, site)
    return False

cdef inline objhdr *pool_try(iopf_actor *self, pool *p, uint64_t ref, uint32_t site) noexcept nogil:
    """Like ``pool_deref`` but without a verdict: for readers that may meet a freed object by design (under RCU, or printing)."""
    cdef objhdr *obj
    if ref == 0 or ref_index(ref) >= p.capacity:
        return NULL
    obj = pool_slot(p, ref_index(ref))
    point(self, site << 8 | OP_POOL_DEREF, obj, ACC_READ)
    if ld64_acq(<uint64_t *>obj) != obj_word(ref >> 32, OBJ_LIVE):
        return NULL
    return obj

# Lists. The caller holds the lock of the list; nodes are objects of one pool; a node is on one list at a time.

cdef inline void list_add_tail(iopf_actor *self, pool *p, listhead *l, objhdr *obj, uint32_t site) noexcept nogil:
    cdef uint32_t index1 = obj.index1
    if iopf_unlikely(obj.list != 0 or obj.state != OBJ_LIVE):
        list_verdict(self, p, index1, l, 1, site)
        return
    obj.list = <uint16_t>l.id
    obj.next = 0
    obj.prev = l.last
    point(self, site << 8 | OP_LIST, l, ACC_RMW)
    if l.last:
        pool_slot(p, l.last - 1).next = index1
    else:
        l.first = index1
    l.last = index1
    l.count += 1

cdef inline objhdr *list_node(iopf_actor *self, pool *p, listhead *l, uint32_t index1, uint32_t site) noexcept nogil:
    """The checked node at ``index1`` of a list; NULL at the end or after a verdict."""
    cdef objhdr *obj
    if index1 == 0:
        return NULL
    if iopf_unlikely(index1 > p.capacity):
        list_verdict(self, p, index1, l, 2, site)
        return NULL
    obj = pool_slot(p, index1 - 1)
    if iopf_unlikely(obj.state != OBJ_LIVE or obj.list != l.id):
        list_verdict(self, p, index1, l, 3, site)
        return NULL
    return obj

cdef inline void list_del(iopf_actor *self, pool *p, listhead *l, objhdr *obj, uint32_t site) noexcept nogil:
    cdef uint32_t index1 = obj.index1
    if iopf_unlikely(obj.list != l.id or obj.prev > p.capacity or obj.next > p.capacity):
        list_verdict(self, p, index1, l, 3, site)
        return
    if obj.prev:
        pool_slot(p, obj.prev - 1).next = obj.next
    else:
        l.first = obj.next
    point(self, site << 8 | OP_LIST, l, ACC_RMW)
    if obj.next:
        pool_slot(p, obj.next - 1).prev = obj.prev
    else:
        l.last = obj.prev
    l.count -= 1
    obj.next = obj.prev = obj.list = 0

cdef void pool_format(pool *p, uint64_t offset, uint32_t capacity, uint32_t stride, uint32_t cls, uint32_t batch) noexcept nogil
cdef uint32_t pool_live(pool *p) noexcept nogil
cdef uint32_t pool_chain(pool *p) noexcept nogil
