# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The handles of ``probe.pxd``. Every operation releases the GIL; loops that tests need at full speed stand beside the single steps."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.event_ring cimport *
from cython_ext.histogram cimport *
from cython_ext.link cimport *
from cython_ext.memory cimport Memory
from cython_ext.mutex cimport *
from cython_ext.pool cimport *
from cython_ext.rcu cimport *
from cython_ext.record_ring cimport *
from cython_ext.refcount cimport *
from cython_ext.wait cimport *
from cython_ext.work_ring cimport *

cdef extern from * nogil:
    """
    /* The place where a tracer waits; a trap only where it may be single-stepped. */
    static inline void trap_here(void) {
    #if defined(__x86_64__)
        __asm__ __volatile__("int3" ::: "memory");
    #endif
    }
    """
    void trap_here()

cdef enum:
    SITE = 0xFE
    ALL = 0x7FFFFFFF
    POOL_SLOTS = sizeof(pool)
    SECOND_NS = 1000000000

SIZES = {
    "crew": sizeof(iopf_crew), "actor": sizeof(iopf_actor), "mutex": sizeof(rmutex), "rwlock": sizeof(rwlock), "pool": sizeof(pool),
    "objhdr": sizeof(objhdr), "list": sizeof(listhead), "link": LINK_HEADER_BYTES, "record_ring": sizeof(ring_regs),
    "work_ring": sizeof(workring), "work_slot": sizeof(workslot), "event_ring": sizeof(event_ring),
    "event": sizeof(event_record), "histogram": sizeof(histogram), "eventcount": sizeof(eventcount),
}
LOCK_DIED_STATUS = LOCK_DIED
REFCOUNT_SATURATED = REF_SATURATED


cdef int words_of(object values, uint64_t *into, int most) except -1:
    cdef int n = 0
    for value in values:
        if n == most:
            raise ValueError(f"at most {most} words")
        into[n] = value
        n += 1
    return n


def meet(Memory memory not None, uint64_t offset, uint32_t parties, uint64_t timeout_ns=5000000000) -> bool:
    """A barrier on one zeroed word, used once: returns when ``parties`` have come, all within nanoseconds; false at the bound."""
    cdef uint32_t *word = <uint32_t *>memory.at(offset, 4)
    cdef uint64_t until = clock_ns() + timeout_ns
    cdef uint32_t n = 0
    cdef bint come = True
    with nogil:
        xadd32(word, 1)
        while ld32_acq(word) < parties:
            n += 1
            if n & 255 == 0:
                sched_yield()
                if clock_ns() > until:
                    come = False
                    break
    return come


cdef class Crew:
    """One process's place in a crew of ``actors`` slots."""

    def __init__(self, Memory memory not None, uint32_t slot, uint64_t offset=0):
        self.memory = memory
        self.offset = offset
        self.crew = <iopf_crew *>memory.at(offset, sizeof(iopf_crew))
        memory.at(offset, sizeof(iopf_crew) + self.crew.actors * sizeof(iopf_actor))
        self.slot = slot
        self.self = self._actor(slot)

    @staticmethod
    def format(Memory memory not None, uint32_t actors, uint64_t offset=0, *, bint lockdep=True, bint poison=True,
               uint32_t spins=50, uint32_t yields=64) -> None:
        cdef uint64_t size = sizeof(iopf_crew) + actors * sizeof(iopf_actor)
        cdef iopf_crew *crew = <iopf_crew *>memory.at(offset, size)
        cdef uint32_t i
        memset(crew, 0, size)
        crew.actors = actors
        crew.rcu_epoch = 1
        crew.lockdep, crew.poison, crew.spins, crew.yields = lockdep, poison, spins, yields
        for i in range(actors):
            crew_actor(crew, i).slot = i
            crew_actor(crew, i).state = ACTOR_RUNNING

    cdef iopf_actor *_actor(self, uint32_t slot) except NULL:
        if slot >= self.crew.actors:
            raise IndexError(f"slot {slot} of a crew of {self.crew.actors}")
        return crew_actor(self.crew, slot)

    @property
    def actors(self) -> int:
        return self.crew.actors

    def policy(self, *, lockdep=None, poison=None, spins=None, yields=None) -> None:
        """Changes what is given; the rest stays."""
        if lockdep is not None:
            self.crew.lockdep = bool(lockdep)
        if poison is not None:
            self.crew.poison = bool(poison)
        if spins is not None:
            self.crew.spins = spins
        if yields is not None:
            self.crew.yields = yields

    def noise(self, uint32_t yield_in, uint32_t sleep_in=0, uint64_t seed=1) -> None:
        """At this actor's points from now on: one yield in ``yield_in``, one short sleep in ``sleep_in``; both 0 ends it."""
        self.self.rng = seed
        self.self.noise_yield_in, self.self.noise_sleep_in = yield_in, sleep_in
        self.self.mode = POINT_NOISE if yield_in or sleep_in else POINT_NORMAL

    def set_state(self, uint32_t slot, uint32_t state) -> None:
        st32_rel(&self._actor(slot).state, state)

    def mark_dead(self, uint32_t slot) -> None:
        """What the supervisor does once the pidfd has reported the death."""
        st32_rel(&self._actor(slot).state, ACTOR_DEAD)

    def verdict_count(self) -> int:
        return ld32_acq(&self.crew.verdict_count)

    def verdicts(self) -> list:
        """The verdicts that are complete, as dictionaries."""
        cdef uint32_t i
        cdef iopf_verdict *v
        found = []
        for i in range(min(ld32_acq(&self.crew.verdict_count), CREW_VERDICTS)):
            v = &self.crew.verdicts[i]
            if ld32_acq(&v.ready):
                found.append({"kind": v.kind, "actor": v.actor, "site": v.site, "cls": v.cls, "object": v.object,
                              "generation": v.generation, "other_actor": v.other_actor, "detail": v.detail})
        return found

    def clear_verdicts(self) -> None:
        """Between tests, at rest."""
        memset(self.crew.verdicts, 0, sizeof(self.crew.verdicts))
        st32_rel(&self.crew.verdict_count, 0)

    def actor(self, uint32_t slot) -> dict:
        """The counters and the position of an actor, each word on its own."""
        cdef iopf_actor *a = self._actor(slot)
        return {"state": a.state, "last_point": a.last_point, "heartbeat": a.heartbeat, "points": a.points, "wait_site": a.wait_site,
                "rcu_epoch": a.rcu_epoch, "rcu_nest": a.rcu_nest, "held_count": a.held_count, "sleeps": a.sleeps, "wakes": a.wakes,
                "wait_timeouts": a.wait_timeouts, "timeouts_with_work": a.timeouts_with_work, "yields": a.yields,
                "lock_waits": a.lock_waits, "owner_deaths": a.owner_deaths}

    def lock_order(self) -> set:
        """The recorded edges (held class, taken class)."""
        return {(h, c) for h in range(CREW_MAX_CLASSES) for c in range(CREW_MAX_CLASSES) if (self.crew.lock_order[h] >> c) & 1}

    def forget_lock_order(self) -> None:
        memset(self.crew.lock_order, 0, sizeof(self.crew.lock_order))

    def lockdep_acquire(self, uint32_t cls) -> None:
        with nogil:
            lockdep_acquire(self.self, cls, SITE)

    def lockdep_release(self, uint32_t cls) -> None:
        with nogil:
            lockdep_release(self.self, cls)

    def rcu_read_lock(self) -> None:
        with nogil:
            rcu_read_lock(self.self, SITE)

    def rcu_read_unlock(self) -> None:
        with nogil:
            rcu_read_unlock(self.self, SITE)

    def rcu_check_held(self, uint64_t obj=0) -> None:
        with nogil:
            rcu_check_held(self.self, obj, SITE)

    def rcu_start(self) -> int:
        return rcu_start(self.self)

    def rcu_passed(self, uint64_t epoch) -> bool:
        return rcu_passed(self.self, epoch)

    def synchronize_rcu(self) -> None:
        with nogil:
            synchronize_rcu(self.self, SITE)


cdef class Handle:
    """A crew and the place of one primitive."""

    cdef char *_place(self, Crew crew, uint64_t offset, uint64_t length) except NULL:
        self.crew = crew
        self.offset = offset
        self.self = crew.self
        return crew.memory.at(offset, length)


cdef class EventCount(Handle):
    def __init__(self, Crew crew not None, uint64_t offset):
        self.ec = <eventcount *>self._place(crew, offset, sizeof(eventcount))

    @property
    def word(self) -> int:
        return ld64_acq(&self.ec.word)

    @property
    def waiters(self) -> int:
        return ld64_acq(&self.ec.word) >> 32

    def prepare(self) -> int:
        cdef uint32_t key
        with nogil:
            key = ec_prepare(self.self, self.ec, SITE)
        return key

    def cancel(self, uint32_t key) -> None:
        with nogil:
            ec_cancel(self.self, self.ec, key)

    def sleep(self, uint32_t key, uint64_t timeout_ns) -> int:
        cdef int ret
        with nogil:
            ret = ec_sleep(self.self, self.ec, key, timeout_ns, SITE)
        return ret

    def notify(self, uint32_t most=ALL) -> int:
        cdef uint32_t n
        with nogil:
            n = ec_notify(self.self, self.ec, most, SITE)
        return n

    def take_turns(self, uint64_t turn_offset, EventCount other not None, uint32_t me, uint32_t parties, uint32_t rounds) -> int:
        """Waits here for the turn ``me`` and hands it on, ``rounds`` times; returns how many sleeps ended by their bound with the
        turn there (lost wake-ups), or -1 when five seconds passed without a turn. Each waits on its own word, ``other`` is the next's."""
        cdef uint64_t *turn = <uint64_t *>self.crew.memory.at(turn_offset, 8)
        cdef uint32_t i, key, lost = 0, dry
        cdef uint64_t want
        with nogil:
            for i in range(rounds):
                want = <uint64_t>i * parties + me
                dry = 0
                while ld64_acq(turn) != want:
                    key = ec_prepare(self.self, self.ec, SITE)
                    if ld64_acq(turn) == want:
                        ec_cancel(self.self, self.ec, key)
                        break
                    if ec_sleep(self.self, self.ec, key, 250000000, SITE) == -110:
                        dry += 1
                        if ld64_acq(turn) == want:
                            # Whoever handed it over may be just about to ring: a ring that does not come in a second is lost.
                            key = ec_prepare(self.self, self.ec, SITE)
                            lost += ec_sleep(self.self, self.ec, key, SECOND_NS, SITE) == -110
                        elif dry == 20:
                            with gil:
                                return -1
                st64_rel(turn, want + 1)
                ec_notify(self.self, other.ec, 1, SITE)
        return lost


cdef class Mutex(Handle):
    def __init__(self, Crew crew not None, uint64_t offset, *, cls=None):
        """``cls`` formats the mutex as one of that lock class; without it, an existing one is meant."""
        self.m = <rmutex *>self._place(crew, offset, sizeof(rmutex))
        if cls is not None:
            self.m.cls = cls
            self.m.word = 0

    @property
    def word(self) -> int:
        return ld32_acq(&self.m.word)

    @property
    def held(self) -> bool:
        return mutex_held(self.self, self.m)

    def lock(self) -> int:
        """0, or LOCK_DIED_STATUS."""
        cdef int ret
        with nogil:
            ret = mutex_lock(self.self, self.m, SITE)
        return ret

    def unlock(self) -> None:
        with nogil:
            mutex_unlock(self.self, self.m, SITE)

    def hammer(self, uint64_t counter_offset, uint64_t rounds) -> int:
        """Adds to a counter by separate load and store under the lock; returns how often the owner had died."""
        cdef uint64_t *counter = <uint64_t *>self.crew.memory.at(counter_offset, 8)
        cdef uint64_t i, n, died = 0
        with nogil:
            for i in range(rounds):
                died += mutex_lock(self.self, self.m, SITE) == LOCK_DIED
                n = ld64_rlx(counter)
                if i & 15 == 0:
                    sched_yield()
                st64_rlx(counter, n + 1)
                mutex_unlock(self.self, self.m, SITE)
        return died


cdef class RwLock(Handle):
    def __init__(self, Crew crew not None, uint64_t offset, *, cls=None):
        self.lock = <rwlock *>self._place(crew, offset, sizeof(rwlock))
        if cls is not None:
            memset(self.lock, 0, sizeof(rwlock))
            self.lock.cls = cls

    @property
    def word(self) -> int:
        return ld32_acq(&self.lock.word)

    def read_lock(self) -> int:
        cdef int ret
        with nogil:
            ret = read_lock(self.self, self.lock, SITE)
        return ret

    def read_unlock(self) -> None:
        with nogil:
            read_unlock(self.self, self.lock, SITE)

    def write_lock(self) -> int:
        cdef int ret
        with nogil:
            ret = write_lock(self.self, self.lock, SITE)
        return ret

    def write_unlock(self) -> None:
        with nogil:
            write_unlock(self.self, self.lock, SITE)

    def hammer(self, uint64_t pair_offset, uint64_t rounds, uint32_t write_every) -> int:
        """Reads two words that writers move together, and writes them in one of ``write_every`` rounds; returns the torn views."""
        cdef uint64_t *pair = <uint64_t *>self.crew.memory.at(pair_offset, 16)
        cdef uint64_t i, n, torn = 0
        with nogil:
            for i in range(rounds):
                if write_every and i % write_every == 0:
                    write_lock(self.self, self.lock, SITE)
                    n = ld64_rlx(&pair[0])
                    st64_rlx(&pair[0], n + 1)
                    if i & 7 == 0:
                        sched_yield()
                    st64_rlx(&pair[1], ld64_rlx(&pair[1]) + 1)
                    write_unlock(self.self, self.lock, SITE)
                else:
                    read_lock(self.self, self.lock, SITE)
                    n = ld64_acq(&pair[0])
                    if i & 15 == 0:
                        sched_yield()
                    torn += n != ld64_acq(&pair[1])
                    read_unlock(self.self, self.lock, SITE)
        return torn


cdef class Refcount(Handle):
    def __init__(self, Crew crew not None, uint64_t offset):
        self.r = <uint32_t *>self._place(crew, offset, 4)

    @property
    def value(self) -> int:
        return ld32_acq(self.r)

    def set(self, uint32_t n) -> None:
        ref_set(self.r, n)

    def get(self) -> None:
        with nogil:
            ref_get(self.self, self.r, SITE)

    def get_not_zero(self) -> bool:
        cdef bint ok
        with nogil:
            ok = ref_get_not_zero(self.self, self.r, SITE)
        return ok

    def put(self) -> bool:
        cdef bint last
        with nogil:
            last = ref_put(self.self, self.r, SITE)
        return last

    def hammer(self, uint64_t rounds) -> int:
        """Takes and puts a reference; returns how often the put said that it was the last."""
        cdef uint64_t i, last = 0
        with nogil:
            for i in range(rounds):
                if ref_get_not_zero(self.self, self.r, SITE):
                    last += ref_put(self.self, self.r, SITE)
        return last


cdef class Pool(Handle):
    """A pool whose slots follow it. Objects are named by their references."""

    def __init__(self, Crew crew not None, uint64_t offset, *, uint32_t capacity=0, uint32_t stride=64, uint32_t cls=0, uint32_t batch=4):
        """A ``capacity`` formats the pool; without one, an existing pool is meant."""
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
        """Frees the object at the index of ``ref``, whatever its generation is by now: as careless as the C interface."""
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
        return pool_try(self.p, ref) is not NULL

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
        """Damages a free slot, to see that the damage is noticed."""
        self._object(ref).free_next = value

    def live(self) -> int:
        return pool_live(self.p)

    def chain(self) -> list:
        """The indices on the shared chain, in order; at rest. A chain longer than the capacity ends there."""
        return self._walk(<uint32_t>ld64_acq(&self.p.free_word))

    def magazine(self, uint32_t slot) -> list:
        """The indices that an actor keeps; at rest."""
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
        """Keeps up to ``hold`` objects (at most 64), each stamped; returns how many stamps somebody else had changed."""
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
        """RCU writer: publishes a new object, waits a grace period, frees the old one, until the word at ``stop_offset`` is set;
        (objects published, allocations that failed)."""
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
        """RCU reader: (sections that met an object, those whose object was stale or changed inside)."""
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
        """The indices from first to last, each node checked; a bad node is a verdict and ends the walk."""
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
        """Makes the list whole after its lock came from a dead owner. Every store of list_add_tail and list_del leaves the chain of
        ``next`` whole, so the rest follows from it; a node that is not on the chain is taken off the list."""
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


cdef class Link(Handle):
    """One end of a link. Its indices are this process's own: make it after the fork."""

    def __init__(self, Crew crew not None, uint64_t offset, uint64_t capacity, *, bint producer):
        cdef char *base = self._place(crew, offset, link_bytes(capacity))
        if capacity == 0 or capacity & (capacity - 1):
            raise ValueError("the capacity is a power of two")
        self.producer = producer
        link_attach(&self.end, base, capacity, producer)

    @property
    def tail(self) -> int:
        return ld64_acq(&self.end.hdr.tail)

    @property
    def head(self) -> int:
        return ld64_acq(&self.end.hdr.head)

    @property
    def waiting(self) -> bool:
        return link_waiting(&self.end)

    def fill(self, words) -> bool:
        """Fills the next slot, unpublished; false when the ring is full."""
        cdef uint64_t record[LINK_WORDS]
        cdef uint64_t *slot
        memset(record, 0, sizeof(record))
        words_of(words, record, LINK_WORDS)
        with nogil:
            slot = link_room(self.self, &self.end, SITE)
            if slot is not NULL:
                memcpy(slot, record, sizeof(record))
                link_filled(&self.end)
        return slot is not NULL

    def publish(self) -> int:
        cdef uint64_t n
        with nogil:
            n = link_publish(self.self, &self.end, SITE)
        return n

    def take(self):
        """The next record as eight words, not yet given back; None when there is none."""
        cdef uint64_t record[LINK_WORDS]
        cdef uint64_t *slot
        cdef int i
        with nogil:
            slot = link_next(self.self, &self.end, SITE)
            if slot is not NULL:
                memcpy(record, slot, sizeof(record))
                link_taken(&self.end)
        return None if slot is NULL else tuple([record[i] for i in range(LINK_WORDS)])

    def consume(self) -> None:
        with nogil:
            link_consume(self.self, &self.end, SITE)

    def stream(self, uint64_t first, uint64_t count, uint32_t batch, uint64_t timeout_ns) -> int:
        """Sends, or receives and checks, the records first .. first + count; returns how many were right within the bound."""
        cdef uint64_t n = 0, until = clock_ns() + timeout_ns
        cdef uint64_t *slot
        cdef waiter w
        cdef int i
        cdef bint right = True
        with nogil:
            waiter_reset(&w)
            while n < count and right:
                slot = link_room(self.self, &self.end, SITE) if self.producer else link_next(self.self, &self.end, SITE)
                if slot is NULL:
                    if self.producer:
                        link_publish(self.self, &self.end, SITE)
                    else:
                        link_consume(self.self, &self.end, SITE)
                    if not waiter_spin(self.self, &w):
                        sched_yield()
                        if clock_ns() > until:
                            break
                    continue
                waiter_reset(&w)
                for i in range(LINK_WORDS):
                    if self.producer:
                        slot[i] = (first + n) * LINK_WORDS + i
                    else:
                        right = right and slot[i] == (first + n) * LINK_WORDS + i
                if not right:
                    break
                n += 1
                if self.producer:
                    link_filled(&self.end)
                    if n % batch == 0:
                        link_publish(self.self, &self.end, SITE)
                else:
                    link_taken(&self.end)
                    if n % batch == 0:
                        link_consume(self.self, &self.end, SITE)
            if self.producer:
                link_publish(self.self, &self.end, SITE)
            else:
                link_consume(self.self, &self.end, SITE)
        return n


cdef class RecordRing(Handle):
    """A ring of ``count`` records of ``record_bytes`` behind its two registers."""

    def __init__(self, Crew crew not None, uint64_t offset, uint64_t count, uint32_t record_bytes=32):
        cdef char *base = self._place(crew, offset, sizeof(ring_regs) + count * record_bytes)
        if count & (count - 1) or record_bytes & (record_bytes - 1) or not 8 <= record_bytes <= 64 or count == 0:
            raise ValueError("powers of two; records of 8 to 64 bytes")
        ring_attach(&self.end, <ring_regs *>base, base + sizeof(ring_regs), count, record_bytes)

    @property
    def head(self) -> int:
        return ld64_acq(&self.end.regs.head)

    @head.setter
    def head(self, uint64_t value):
        st64_rel(&self.end.regs.head, value)

    @property
    def tail(self) -> int:
        return ld64_acq(&self.end.regs.tail)

    @tail.setter
    def tail(self, uint64_t value):
        st64_rel(&self.end.regs.tail, value)

    def used(self) -> int:
        """Records between the registers, through the checked reads."""
        return ring_used(&self.end, ring_head(self.self, &self.end, SITE), ring_tail(self.self, &self.end, SITE))

    def put(self, words) -> bool:
        cdef uint64_t record[8]
        cdef uint64_t tail, head
        cdef bint room
        memset(record, 0, sizeof(record))
        words_of(words, record, self.end.record_bytes // 8)
        with nogil:
            head = ring_head(self.self, &self.end, SITE)
            tail = ld64_rlx(&self.end.regs.tail)
            room = ring_advance(&self.end, tail) != head
            if room:
                memcpy(ring_record(&self.end, tail), record, self.end.record_bytes)
                ring_publish(self.self, &self.end, ring_advance(&self.end, tail), SITE)
        return room

    def get(self):
        cdef uint64_t record[8]
        cdef uint64_t tail, head
        cdef uint32_t i
        with nogil:
            tail = ring_tail(self.self, &self.end, SITE)
            head = ld64_rlx(&self.end.regs.head)
            if head != tail:
                memcpy(record, ring_record(&self.end, head), self.end.record_bytes)
                ring_consume(self.self, &self.end, ring_advance(&self.end, head), SITE)
        return None if head == tail else tuple([record[i] for i in range(self.end.record_bytes // 8)])


cdef class WorkRing(Handle):
    def __init__(self, Crew crew not None, uint64_t offset, *, uint32_t count=0, uint32_t cls=0):
        """A ``count`` (a power of two) formats the ring; without one, an existing ring is meant."""
        self.ring = <workring *>self._place(crew, offset, sizeof(workring))
        if count:
            if count & (count - 1):
                raise ValueError("the number of slots is a power of two")
            crew.memory.at(offset, sizeof(workring) + <uint64_t>count * sizeof(workslot))
            work_format(self.ring, count, cls)

    def state(self) -> dict:
        cdef workring *r = self.ring
        return {"tail": ld64_acq(&r.tail), "head": ld64_acq(&r.head), "floor": ld64_acq(&r.floor), "lost": ld64_acq(&r.lost),
                "flushers": ld32_acq(&r.flushers), "count": r.count}

    def slot(self, uint64_t position) -> tuple:
        """(position, owner slot + 1, state) as the slot of ``position`` has it."""
        cdef uint64_t word = ld64_acq(&work_slot(self.ring, position).word)
        return word >> 20, (word >> 4) & 0xFFFF, word & 15

    @property
    def waiting(self) -> bool:
        return work_waiting(self.ring)

    @property
    def backlog(self) -> int:
        return work_backlog(self.ring)

    def push(self, words) -> int:
        """0, or -16 when no slot is free."""
        cdef uint64_t payload[WORK_PAYLOAD]
        cdef int n, ret
        memset(payload, 0, sizeof(payload))
        n = words_of(words, payload, WORK_PAYLOAD)
        with nogil:
            ret = work_push(self.self, self.ring, payload, n, SITE)
        return ret

    def pop(self):
        """(position, the seven words), or None."""
        cdef uint64_t payload[WORK_PAYLOAD]
        cdef uint64_t position = 0
        cdef int i, ret
        with nogil:
            ret = work_pop(self.self, self.ring, payload, &position, SITE)
        return (position, tuple([payload[i] for i in range(WORK_PAYLOAD)])) if ret else None

    def done(self, uint64_t position) -> None:
        with nogil:
            work_done(self.self, self.ring, position, SITE)

    def flush(self, uint64_t timeout_ns) -> int:
        cdef int ret
        with nogil:
            ret = work_flush(self.self, self.ring, timeout_ns, SITE)
        return ret

    def repair(self, uint32_t dead_slot) -> int:
        cdef uint32_t n
        with nogil:
            n = work_repair(self.self, self.ring, dead_slot, SITE)
        return n

    def settle(self) -> None:
        with nogil:
            work_settle(self.self, self.ring)

    def notify(self, uint32_t most=1) -> int:
        cdef uint32_t n
        with nogil:
            n = ec_notify(self.self, &self.ring.bell, most, SITE)
        return n

    def sleep_until_work(self, uint64_t timeout_ns) -> int:
        """Sleeps on the bell as a consumer does: 0 with or without work, -110 at the bound, 1 when work was there at once."""
        cdef uint32_t key
        cdef int ret = 1
        with nogil:
            key = ec_prepare(self.self, &self.ring.bell, SITE)
            if work_waiting(self.ring):
                ec_cancel(self.self, &self.ring.bell, key)
            else:
                ret = ec_sleep(self.self, &self.ring.bell, key, timeout_ns, SITE)
        return ret

    def produce(self, uint64_t first, uint64_t count, uint64_t timeout_ns) -> int:
        """Pushes the numbers first .. first + count, ringing for each; returns how many within the bound."""
        cdef uint64_t payload[WORK_PAYLOAD]
        cdef uint64_t n = 0, until = clock_ns() + timeout_ns
        cdef int i
        with nogil:
            while n < count:
                for i in range(WORK_PAYLOAD):
                    payload[i] = first + n + i
                if work_push(self.self, self.ring, payload, WORK_PAYLOAD, SITE) == 0:
                    ec_notify(self.self, &self.ring.bell, 1, SITE)
                    n += 1
                elif clock_ns() > until:
                    break
                else:
                    sched_yield()
        return n

    def consume(self, uint64_t seen_offset, uint64_t total, uint64_t taken_offset, uint64_t timeout_ns) -> tuple:
        """Takes numbers until ``total`` were taken by all consumers: counts each in the u32 array at ``seen_offset``. Returns
        (taken here, payloads that were not whole, order violations)."""
        cdef uint32_t *seen = <uint32_t *>self.crew.memory.at(seen_offset, total * 4)
        cdef uint64_t *taken = <uint64_t *>self.crew.memory.at(taken_offset, 8)
        cdef uint64_t payload[WORK_PAYLOAD]
        cdef uint64_t position = 0, last = 0, mine = 0, broken = 0, disorder = 0, until = clock_ns() + timeout_ns
        cdef uint64_t head, patience
        cdef uint32_t key
        cdef int i
        with nogil:
            while ld64_acq(taken) < total and clock_ns() < until:
                if work_pop(self.self, self.ring, payload, &position, SITE):
                    for i in range(WORK_PAYLOAD):
                        broken += payload[i] != payload[0] + i
                    disorder += mine != 0 and position <= last
                    last = position
                    mine += 1
                    if payload[0] < total:
                        xadd32(&seen[payload[0]], 1)
                    work_done(self.self, self.ring, position, SITE)
                    if xadd64(taken, 1) + 1 == total:
                        ec_notify(self.self, &self.ring.bell, ALL, SITE)
                    continue
                key = ec_prepare(self.self, &self.ring.bell, SITE)
                if work_waiting(self.ring) or ld64_acq(taken) >= total:
                    ec_cancel(self.self, &self.ring.bell, key)
                elif ec_sleep(self.self, &self.ring.bell, key, 250000000, SITE) == -110 and work_waiting(self.ring):
                    # Another consumer may be on its way to it; an item that stays at the head for a second has lost its wake-up.
                    head = ld64_acq(&self.ring.head)
                    patience = clock_ns() + SECOND_NS
                    while ld64_acq(&self.ring.head) == head and work_waiting(self.ring):
                        nap_ns(1000000)
                        if clock_ns() > patience:
                            self.self.timeouts_with_work += 1
                            break
        return mine, broken, disorder


cdef class EventRing(Handle):
    def __init__(self, Crew crew not None, uint64_t offset, *, uint32_t capacity=0):
        self.ring = <event_ring *>self._place(crew, offset, sizeof(event_ring))
        if capacity:
            if capacity & (capacity - 1):
                raise ValueError("the capacity is a power of two")
            crew.memory.at(offset, sizeof(event_ring) + <uint64_t>capacity * sizeof(event_record))
            memset(self.ring, 0, sizeof(event_ring))
            self.ring.capacity = capacity

    @property
    def written(self) -> int:
        return ld64_acq(&self.ring.written)

    @property
    def started(self) -> int:
        return ld64_acq(&self.ring.started)

    def write(self, uint64_t ticks, uint32_t event, uint64_t a, uint64_t b) -> None:
        with nogil:
            event_write(self.self, self.ring, ticks, event, a, b)

    def burst(self, uint64_t count) -> None:
        """Writes records whose fields can be checked against each other: ticks n, event n, a ~n, b n * n."""
        cdef uint64_t i, n
        with nogil:
            for i in range(count):
                n = self.ring.written
                event_write(self.self, self.ring, n, <uint32_t>n & 0xFFFF, ~n, n * n)

    def read(self, uint64_t start=0) -> tuple:
        """(next number, how many since ``start`` are gone, records as (ticks, event, actor, a, b)); the protocol of the essay."""
        cdef uint64_t capacity = self.ring.capacity, at, n, end = ld64_acq(&self.ring.written), begun
        cdef uint64_t *source
        cdef uint64_t copy[4]
        cdef int i
        at = max(start, end - capacity if end > capacity else 0)
        copies = []
        for n in range(at, end):
            source = <uint64_t *>event_slot(self.ring, n)
            for i in range(4):
                copy[i] = ld64_acq(&source[i])
            copies.append((copy[0], copy[1] & 0xFFFFFFFF, copy[1] >> 32, copy[2], copy[3]))
        begun = ld64_acq(&self.ring.started)
        first = max(at, min(end, begun - capacity if begun > capacity else 0))
        return end, first - start, copies[first - at:]


cdef class Histogram(Handle):
    def __init__(self, Crew crew not None, uint64_t offset):
        self.hist = <histogram *>self._place(crew, offset, sizeof(histogram))

    @staticmethod
    def bin_of(uint64_t value) -> int:
        return hist_bin(value)

    def add(self, uint64_t value) -> None:
        with nogil:
            hist_add(self.hist, value)

    def summary(self) -> dict:
        return {"count": self.hist.count, "total": self.hist.total, "max": self.hist.max, "min": self.hist.min}

    def bins(self) -> dict:
        """Bins that are not empty."""
        cdef uint32_t i
        return {i: self.hist.bins[i] for i in range(HIST_BINS) if self.hist.bins[i]}


cpdef enum Step:
    """The operations that the stepping test kills in the middle."""
    STEP_MUTEX = 0
    STEP_MUTEX_UNLOCK_WAKE
    STEP_RW_WRITE
    STEP_RW_WRITE_UNLOCK_WAKE
    STEP_RW_READ
    STEP_REF_GET
    STEP_REF_PUT
    STEP_RCU
    STEP_RCU_SYNC
    STEP_POOL_ALLOC
    STEP_POOL_FREE
    STEP_LIST_ADD
    STEP_LIST_DEL
    STEP_LINK_PUSH
    STEP_LINK_POP
    STEP_RECORD_PUT
    STEP_RECORD_GET
    STEP_WORK_PUSH
    STEP_WORK_POP
    STEP_WORK_POP_DONE
    STEP_WORK_DONE
    STEP_WORK_FLUSH
    STEP_EVENT
    STEP_HISTOGRAM
    STEP_EC_WAIT
    STEP_EC_NOTIFY
    STEP_LOCKDEP


def step(Crew crew not None, Step what, uint64_t armed_offset, uint64_t at, uint64_t at2=0, uint64_t arg=0) -> None:
    """One operation between two marks in the word at ``armed_offset``: 1 and a trap before it, 2 after it.

    ``at`` is the primitive, ``at2`` a second one (the pool of a list, and its mutex behind ``arg``), ``arg`` a reference, a capacity
    or a size. Only for a process whose tracer steps it; the trap kills any other.
    """
    cdef Memory memory = crew.memory
    cdef uint32_t *armed = <uint32_t *>memory.at(armed_offset, 4)
    cdef char *one = memory.at(at, 64)
    cdef char *two = memory.at(at2, 64)
    with nogil:
        victim(crew.self, what, armed, one, two, arg)


cdef void victim(iopf_actor *self, uint32_t what, uint32_t *armed, char *one, char *two, uint64_t arg) noexcept nogil:
    cdef link_end link
    cdef ring_end ring
    cdef uint64_t record[8]
    cdef uint64_t position = 0, offset
    cdef uint64_t *slot
    cdef objhdr *obj = NULL
    cdef listhead *head
    cdef uint32_t i, key
    memset(&link, 0, sizeof(link))
    memset(&ring, 0, sizeof(ring))
    for i in range(8):
        record[i] = arg + i
    if what in (STEP_LINK_PUSH, STEP_LINK_POP):
        link_attach(&link, one, arg, what == STEP_LINK_PUSH)
    elif what in (STEP_RECORD_PUT, STEP_RECORD_GET):
        ring_attach(&ring, <ring_regs *>one, one + sizeof(ring_regs), arg, 32)
    elif what == STEP_MUTEX_UNLOCK_WAKE:
        mutex_lock(self, <rmutex *>one, SITE)
        or_32(&(<rmutex *>one).word, LOCK_SLEEPERS)
    elif what == STEP_RW_WRITE_UNLOCK_WAKE:
        write_lock(self, <rwlock *>one, SITE)
        or_32(&(<rwlock *>one).word, LOCK_SLEEPERS)
    elif what == STEP_POOL_FREE:
        obj = pool_slot(<pool *>one, ref_index(arg))
    elif what in (STEP_LIST_ADD, STEP_LIST_DEL):
        # The mutex stands right behind the list head.
        obj = pool_slot(<pool *>two, ref_index(arg))
    head = <listhead *>one
    st32_rel(armed, 1)
    trap_here()
    if what == STEP_MUTEX:
        mutex_lock(self, <rmutex *>one, SITE)
        mutex_unlock(self, <rmutex *>one, SITE)
    elif what == STEP_MUTEX_UNLOCK_WAKE:
        mutex_unlock(self, <rmutex *>one, SITE)
    elif what == STEP_RW_WRITE:
        write_lock(self, <rwlock *>one, SITE)
        write_unlock(self, <rwlock *>one, SITE)
    elif what == STEP_RW_WRITE_UNLOCK_WAKE:
        write_unlock(self, <rwlock *>one, SITE)
    elif what == STEP_RW_READ:
        read_lock(self, <rwlock *>one, SITE)
        read_unlock(self, <rwlock *>one, SITE)
    elif what == STEP_REF_GET:
        ref_get(self, <uint32_t *>one, SITE)
    elif what == STEP_REF_PUT:
        ref_put(self, <uint32_t *>one, SITE)
    elif what == STEP_RCU:
        rcu_read_lock(self, SITE)
        rcu_read_unlock(self, SITE)
    elif what == STEP_RCU_SYNC:
        synchronize_rcu(self, SITE)
    elif what == STEP_POOL_ALLOC:
        obj = pool_alloc(self, <pool *>one, SITE)
    elif what == STEP_POOL_FREE:
        pool_free(self, <pool *>one, obj, SITE)
    elif what == STEP_LIST_ADD:
        mutex_lock(self, <rmutex *>(head + 1), SITE)
        list_add_tail(self, <pool *>two, head, obj, SITE)
        mutex_unlock(self, <rmutex *>(head + 1), SITE)
    elif what == STEP_LIST_DEL:
        mutex_lock(self, <rmutex *>(head + 1), SITE)
        list_del(self, <pool *>two, head, obj, SITE)
        mutex_unlock(self, <rmutex *>(head + 1), SITE)
    elif what == STEP_LINK_PUSH:
        slot = link_room(self, &link, SITE)
        if slot is not NULL:
            for i in range(LINK_WORDS):
                slot[i] = record[i]
            link_filled(&link)
            link_publish(self, &link, SITE)
    elif what == STEP_LINK_POP:
        slot = link_next(self, &link, SITE)
        if slot is not NULL:
            for i in range(LINK_WORDS):
                record[i] = slot[i]
            link_taken(&link)
            link_consume(self, &link, SITE)
    elif what == STEP_RECORD_PUT:
        offset = ld64_rlx(&ring.regs.tail)
        if ring_advance(&ring, offset) != ring_head(self, &ring, SITE):
            slot = ring_record(&ring, offset)
            for i in range(4):
                slot[i] = record[i]
            ring_publish(self, &ring, ring_advance(&ring, offset), SITE)
    elif what == STEP_RECORD_GET:
        offset = ld64_rlx(&ring.regs.head)
        if offset != ring_tail(self, &ring, SITE):
            slot = ring_record(&ring, offset)
            for i in range(4):
                record[i] = slot[i]
            ring_consume(self, &ring, ring_advance(&ring, offset), SITE)
    elif what == STEP_WORK_PUSH:
        work_push(self, <workring *>one, record, WORK_PAYLOAD, SITE)
        ec_notify(self, &(<workring *>one).bell, 1, SITE)
    elif what == STEP_WORK_POP:
        work_pop(self, <workring *>one, record, &position, SITE)
    elif what == STEP_WORK_POP_DONE:
        if work_pop(self, <workring *>one, record, &position, SITE):
            work_done(self, <workring *>one, position, SITE)
    elif what == STEP_WORK_DONE:
        work_done(self, <workring *>one, arg, SITE)
    elif what == STEP_WORK_FLUSH:
        work_flush(self, <workring *>one, arg, SITE)
    elif what == STEP_EVENT:
        event_write(self, <event_ring *>one, arg, <uint32_t>arg & 0xFFFF, ~arg, arg * arg)
    elif what == STEP_HISTOGRAM:
        hist_add(<histogram *>one, arg)
    elif what == STEP_EC_WAIT:
        key = ec_prepare(self, <eventcount *>one, SITE)
        ec_cancel(self, <eventcount *>one, key)
        key = ec_prepare(self, <eventcount *>one, SITE)
        ec_sleep(self, <eventcount *>one, key, 1000, SITE)
    elif what == STEP_EC_NOTIFY:
        ec_notify(self, <eventcount *>one, 1, SITE)
    elif what == STEP_LOCKDEP:
        lockdep_acquire(self, <uint32_t>arg, SITE)
    st32_rel(armed, 2)
    # Keeps the copies of the pops from being optimised away.
    st64_rlx(<uint64_t *>(armed + 2), record[0] + record[3] + record[7] + position + <uint64_t>obj)
