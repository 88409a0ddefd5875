# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Handles on the pool and on lists of its objects, with the two sides of an RCU pointer to one of them.

Objects are named by their references. Functions that read chains, magazines and lists read the raw memory and need a board at rest; the
loops run against each other.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.pool cimport *
from tests.probes.crew cimport SITE, Crew, Handle
from iopf.cython_ext.rcu cimport *
from iopf.cython_ext.wait cimport *

cdef enum:
    POOL_SLOTS = sizeof(pool)


cdef class Pool(Handle):
    """A pool followed by its slots. Objects are named by their references."""

    def __init__(self, Crew crew not None, uint64_t offset, *, uint32_t capacity=0, uint32_t stride=64, uint32_t cls=0, uint32_t batch=4):
        """A ``capacity`` formats the pool; without one, an existing pool is used."""
        self.p = <pool *>self._place(crew, offset, sizeof(pool))
        if capacity:
            if cls >= CREW_MAGAZINES or stride % 64 or stride < 64 or batch == 0:
                raise ValueError("cls below 8, a stride of whole cache lines, a batch of at least one")
            crew.memory.at(offset, POOL_SLOTS + <uint64_t>capacity * stride)
            pool_format(self.p, POOL_SLOTS, capacity, stride, cls, batch)

    cdef objhdr *_object(self, uint64_t ref) except NULL:
        if ref_index(ref) >= self.p.capacity:
            raise IndexError(f"reference {ref:#x} lies outside of the pool")
        return pool_slot(self.p, ref_index(ref))

    @property
    def capacity(self) -> int:
        return self.p.capacity

    @property
    def batch(self) -> int:
        return self.p.batch

    @property
    def fail_nth(self) -> int:
        return ld32_acq(&self.p.fail_nth)

    @fail_nth.setter
    def fail_nth(self, uint32_t n):
        st32_rel(&self.p.fail_nth, n)

    def alloc(self) -> int:
        """A reference, or 0."""
        cdef objhdr *obj
        with nogil:
            obj = pool_alloc(self.self, self.p, SITE)
        return pool_ref(self.p, obj) if obj is not NULL else 0

    def free(self, uint64_t ref) -> None:
        """Free the object at the index of ``ref``, whatever its generation is by now: unchecked, like the C interface."""
        cdef objhdr *obj = self._object(ref)
        with nogil:
            pool_free(self.self, self.p, obj, SITE)

    def deref(self, uint64_t ref) -> bool:
        cdef objhdr *obj
        with nogil:
            obj = pool_deref(self.self, self.p, ref, SITE)
        return obj is not NULL

    def peek(self, uint64_t ref) -> bool:
        """``pool_try``: like deref, without a verdict."""
        return pool_try(self.self, self.p, ref, 0) is not NULL

    def body(self, uint64_t ref) -> bytes:
        cdef char *at = <char *>self._object(ref) + sizeof(objhdr)
        return at[:self.p.stride - sizeof(objhdr)]

    def write_body(self, uint64_t ref, bytes data) -> None:
        cdef char *at = <char *>self._object(ref) + sizeof(objhdr)
        cdef const char *source = data
        if len(data) > self.p.stride - sizeof(objhdr):
            raise ValueError("longer than the body")
        memcpy(at, source, len(data))

    def header(self, uint64_t ref) -> dict:
        cdef objhdr *o = self._object(ref)
        return {"generation": o.generation, "live": o.state == OBJ_LIVE, "free": o.state == OBJ_FREE, "free_next": o.free_next,
                "next": o.next, "prev": o.prev, "list": o.list, "alloc_actor": o.alloc_actor, "free_actor": o.free_actor}

    def set_free_next(self, uint64_t ref, uint32_t value) -> None:
        """Damage a free slot, to test the detection."""
        self._object(ref).free_next = value

    def live(self) -> int:
        return pool_live(self.p)

    def chain(self) -> list:
        """The indices on the shared chain, in order; at rest. A chain longer than the capacity ends there."""
        return self._walk(<uint32_t>ld64_acq(&self.p.free_word))

    def magazine(self, uint32_t slot) -> list:
        """The indices in an actor's magazine; at rest."""
        return self._walk(self.crew._actor(slot).magazine[self.p.cls].head)

    def magazine_counts(self, uint32_t slot) -> dict:
        cdef iopf_magazine *mag = &self.crew._actor(slot).magazine[self.p.cls]
        return {"count": mag.count, "allocs": mag.allocs, "frees": mag.frees, "fails": mag.fails}

    def _walk(self, uint32_t at) -> list:
        found = []
        while at != 0 and at <= self.p.capacity and len(found) <= self.p.capacity:
            found.append(at - 1)
            at = pool_slot(self.p, at - 1).free_next
        return found

    def hammer(self, uint64_t rounds, uint32_t hold) -> int:
        """Keep up to ``hold`` objects (at most 64), each stamped; return the number of stamps changed by other actors."""
        cdef objhdr *held[64]
        cdef objhdr *obj
        cdef uint64_t i, stamp, spoilt = 0
        cdef uint32_t at, n = min(hold, 64)
        with nogil:
            memset(held, 0, sizeof(held))
            for i in range(rounds):
                at = <uint32_t>(i * 7 % n)
                if held[at] is not NULL:
                    stamp = (<uint64_t *>(held[at] + 1))[0]
                    spoilt += stamp != (<uint64_t>self.self.slot << 32 | at)
                    pool_free(self.self, self.p, held[at], SITE)
                    held[at] = NULL
                if i % 3 != 2:
                    obj = pool_alloc(self.self, self.p, SITE)
                    if obj is not NULL:
                        spoilt += (<uint64_t *>(obj + 1))[0] != 0
                        (<uint64_t *>(obj + 1))[0] = <uint64_t>self.self.slot << 32 | at
                        held[at] = obj
            for at in range(n):
                if held[at] is not NULL:
                    pool_free(self.self, self.p, held[at], SITE)
        return spoilt

    def publish_loop(self, uint64_t pointer_offset, uint64_t stop_offset, uint64_t timeout_ns) -> tuple:
        """RCU writer: publish a new object, wait a grace period, free the old one, until the word at ``stop_offset`` is set; (objects
        published, failed allocations)."""
        cdef uint64_t *pointer = <uint64_t *>self.crew.memory.at(pointer_offset, 8)
        cdef uint32_t *stop = <uint32_t *>self.crew.memory.at(stop_offset, 4)
        cdef uint64_t old, published = 0, failed = 0, until = clock_ns() + timeout_ns
        cdef objhdr *obj
        with nogil:
            while published + failed == 0 or (not ld32_acq(stop) and clock_ns() < until):
                obj = pool_alloc(self.self, self.p, SITE)
                if obj is NULL:
                    failed += 1
                    continue
                (<uint64_t *>(obj + 1))[0] = ~pool_ref(self.p, obj)
                old = xchg64(pointer, pool_ref(self.p, obj))
                published += 1
                if old:
                    synchronize_rcu(self.self, SITE)
                    pool_free(self.self, self.p, pool_slot(self.p, ref_index(old)), SITE)
        return published, failed

    def read_loop(self, uint64_t pointer_offset, uint64_t sections, uint64_t timeout_ns) -> tuple:
        """RCU reader: (sections with an object, those whose object was stale or changed inside)."""
        cdef uint64_t *pointer = <uint64_t *>self.crew.memory.at(pointer_offset, 8)
        cdef uint64_t met = 0, bad = 0, ref, until = clock_ns() + timeout_ns
        cdef objhdr *obj
        with nogil:
            while met < sections and clock_ns() < until:
                rcu_read_lock(self.self, SITE)
                ref = ld64_acq(pointer)
                if ref:
                    rcu_check_held(self.self, ref, SITE)
                    obj = pool_deref(self.self, self.p, ref, SITE)
                    if met & 7 == 0:
                        sched_yield()
                    bad += (obj is NULL or ld64_acq(<uint64_t *>(obj + 1)) != ~ref
                            or obj.generation != <uint32_t>(ref >> 32))
                    met += 1
                rcu_read_unlock(self.self, SITE)
        return met, bad


cdef class List(Handle):
    """A list of objects of one pool."""

    def __init__(self, Pool pool not None, uint64_t offset, *, uint32_t ident=0):
        """``ident`` formats an empty list."""
        self.head = <listhead *>self._place(pool.crew, offset, sizeof(listhead))
        self.pool = pool
        if ident:
            memset(self.head, 0, sizeof(listhead))
            self.head.id = ident

    def __len__(self):
        return self.head.count

    def add_tail(self, uint64_t ref) -> None:
        cdef objhdr *obj = self.pool._object(ref)
        with nogil:
            list_add_tail(self.self, self.pool.p, self.head, obj, SITE)

    def remove(self, uint64_t ref) -> None:
        cdef objhdr *obj = self.pool._object(ref)
        with nogil:
            list_del(self.self, self.pool.p, self.head, obj, SITE)

    def walk(self) -> list:
        """The indices from first to last, each node checked; an invalid node is a verdict and ends the walk."""
        cdef uint32_t at = self.head.first
        cdef objhdr *obj
        found = []
        while len(found) <= self.pool.p.capacity:
            obj = list_node(self.self, self.pool.p, self.head, at, SITE)
            if obj is NULL:
                break
            found.append(at - 1)
            at = obj.next
        return found

    def mend(self) -> None:
        """Repair the list after its lock came from a dead owner. Every store of list_add_tail and list_del keeps the chain of ``next``
        intact, so the rest follows from it; a node that is not on the chain is removed from the list."""
        cdef uint32_t at = self.head.first, before = 0, i
        cdef objhdr *obj
        on = self.walk()
        for i in range(self.pool.p.capacity):
            obj = pool_slot(self.pool.p, i)
            if obj.list == self.head.id and i not in on:
                obj.next = obj.prev = obj.list = 0
        for at in on:
            pool_slot(self.pool.p, at).prev = before
            before = at + 1
        self.head.last = before
        self.head.count = len(on)

    def walk_back(self) -> list:
        cdef uint32_t at = self.head.last
        found = []
        while at != 0 and at <= self.pool.p.capacity and len(found) <= self.pool.p.capacity:
            found.append(at - 1)
            at = pool_slot(self.pool.p, at - 1).prev
        return found
