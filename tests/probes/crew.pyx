# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A process's slot in a crew, for Python: the base of every handle.

Every operation of a handle releases the GIL. Loops that tests need at full speed are beside the single steps. Here are the crew with
its verdicts, lockdep and RCU (which belong to an actor and have no memory of their own), the sizes of all structures, and a barrier for
processes that must start together.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.channel_core cimport chan_header
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.event_ring cimport event_record, event_ring
from iopf.cython_ext.histogram cimport histogram
from iopf.cython_ext.link cimport LINK_HEADER_BYTES
from iopf.cython_ext.memory cimport Memory
from iopf.cython_ext.mutex cimport lockdep_acquire, lockdep_release, rmutex, rwlock
from iopf.cython_ext.pool cimport listhead, objhdr, pool
from iopf.cython_ext.rcu cimport *
from iopf.cython_ext.record_ring cimport ring_regs
from iopf.cython_ext.wait cimport eventcount
from iopf.cython_ext.work_ring cimport workring, workslot

SIZES = {
    "crew": sizeof(iopf_crew), "actor": sizeof(iopf_actor), "mutex": sizeof(rmutex), "rwlock": sizeof(rwlock), "pool": sizeof(pool),
    "objhdr": sizeof(objhdr), "list": sizeof(listhead), "link": LINK_HEADER_BYTES, "record_ring": sizeof(ring_regs),
    "work_ring": sizeof(workring), "work_slot": sizeof(workslot), "event_ring": sizeof(event_ring),
    "event": sizeof(event_record), "histogram": sizeof(histogram), "eventcount": sizeof(eventcount), "channel": sizeof(chan_header),
}


cdef int words_of(object values, uint64_t *into, int most) except -1:
    cdef int n = 0
    for value in values:
        if n == most:
            raise ValueError(f"at most {most} words")
        into[n] = value
        n += 1
    return n


def meet(Memory memory not None, uint64_t offset, uint32_t parties, uint64_t timeout_ns=5000000000) -> bool:
    """A barrier on one zeroed word, used once: returns when ``parties`` have arrived, all within nanoseconds; false at the timeout."""
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
    """One process's slot in a crew of ``actors`` slots."""

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

    def policy(self, *, lockdep=None, poison=None, spins=None, yields=None, ref_limit=None) -> None:
        """Set the given values; keep the others."""
        if lockdep is not None:
            self.crew.lockdep = bool(lockdep)
        if poison is not None:
            self.crew.poison = bool(poison)
        if spins is not None:
            self.crew.spins = spins
        if yields is not None:
            self.crew.yields = yields
        if ref_limit is not None:
            self.crew.ref_limit = ref_limit

    def noise(self, uint32_t yield_in, uint32_t sleep_in=0, uint64_t seed=1) -> None:
        """Noise at this actor's points from now on: one yield in ``yield_in``, one short sleep in ``sleep_in``; both 0 ends it."""
        self.self.rng = seed
        self.self.noise_yield_in, self.self.noise_sleep_in = yield_in, sleep_in
        self.self.mode = POINT_NOISE if yield_in or sleep_in else POINT_NORMAL

    def lose_wakes(self, uint32_t site=SITE, uint32_t role1=0) -> None:
        """Loses the wake-ups of waiters at this site (and of this role, plus one), until one has been counted as lost."""
        st32_rel(&self.crew.drop, site | role1 << 16)

    @property
    def wakes_dropped(self) -> int:
        return ld32_acq(&self.crew.dropped)

    def set_state(self, uint32_t slot, uint32_t state) -> None:
        st32_rel(&self._actor(slot).state, state)

    def mark_dead(self, uint32_t slot) -> None:
        """Mark an actor dead, as the supervisor does when the pidfd has reported the death."""
        st32_rel(&self._actor(slot).state, ACTOR_DEAD)

    def verdict_count(self) -> int:
        return ld32_acq(&self.crew.verdict_count)

    def verdicts(self) -> list:
        """The complete verdicts, as dictionaries."""
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
        """Reset the verdicts, between tests."""
        memset(self.crew.verdicts, 0, sizeof(self.crew.verdicts))
        st32_rel(&self.crew.verdict_count, 0)

    def actor(self, uint32_t slot) -> dict:
        """The counters and the position of an actor, each word read independently."""
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
        return rcu_start(self.self, 0)

    def rcu_passed(self, uint64_t epoch) -> bool:
        return rcu_passed(self.self, epoch, 0)

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
