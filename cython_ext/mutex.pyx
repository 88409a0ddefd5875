# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Slow paths of the locks, and the graph of lock classes. See ``mutex.pxd``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *


cdef bint lockdep_reaches(iopf_crew *crew, uint32_t start, uint32_t target) noexcept nogil:
    """Whether the recorded order leads from class ``start`` to class ``target`` (breadth-first, 32 classes)."""
    cdef uint32_t seen = <uint32_t>1 << start, front = seen, fresh, cls
    while front:
        fresh = 0
        for cls in range(CREW_MAX_CLASSES):
            if (front >> cls) & 1:
                fresh |= ld32_rlx(&crew.lock_order[cls])
        if (fresh >> target) & 1:
            return True
        front = fresh & ~seen
        seen |= fresh
    return False


cdef void lockdep_edge(iopf_actor *self, uint32_t held, uint32_t cls, uint32_t site) noexcept nogil:
    cdef iopf_crew *crew = crew_of(self)
    if held == cls:
        verdict_raise(self, VERDICT_RECURSION, cls, held, 0, self.slot, 0, site)
        return
    if (or_32(&crew.lock_order[held], <uint32_t>1 << cls) >> cls) & 1:
        return  # another actor recorded it first, and checks
    # Pairs with the locked `or` above of an actor that concurrently records another edge of the same cycle.
    if lockdep_reaches(crew, cls, held):
        verdict_raise(self, VERDICT_LOCK_ORDER, cls, held, 0, self.slot, 0, site)


cdef bint slot_dead(iopf_actor *self, uint32_t owner_word) noexcept nogil:
    cdef iopf_crew *crew = crew_of(self)
    cdef uint32_t owner = owner_word & LOCK_OWNER
    if owner == 0 or owner > crew.actors:
        return False
    return ld32_acq(&crew_actor(crew, owner - 1).state) == ACTOR_DEAD


cdef int mutex_lock_slow(iopf_actor *self, rmutex *m, uint32_t site) noexcept nogil:
    cdef waiter w
    cdef uint32_t word, mine = self.slot + 1
    cdef uint32_t spun = 0
    cdef bint slept = False
    self.lock_waits += 1
    waiter_reset(&w)
    while True:
        word = ld32_rlx(&m.word)
        if word & LOCK_OWNER == 0:
            # After a sleep there may be other waiters, so the mark stays set.
            if cas32(&m.word, word, mine | (LOCK_SLEEPERS if slept else word & LOCK_SLEEPERS)):
                return 0
            continue
        if slot_dead(self, word):
            if cas32(&m.word, word, mine | LOCK_SLEEPERS):
                self.owner_deaths += 1
                return LOCK_DIED
            continue
        if spun < LOCK_SPINS:
            spun += 1
            cpu_pause()
            continue
        if waiter_spin(self, &w):
            continue
        if not word & LOCK_SLEEPERS and not cas32(&m.word, word, word | LOCK_SLEEPERS):
            continue
        self.wait_site = site
        self.wait_since_ns = actor_clock(self)
        self.sleeps += 1
        point_wait(self, site << 8 | OP_LOCK_SLEEP, &m.word, word | LOCK_SLEEPERS, LOCK_BOUND_NS)
        self.wait_site = 0
        slept = True


cdef int rw_lock_slow(iopf_actor *self, rwlock *l, bint write, uint32_t site) noexcept nogil:
    cdef waiter w
    cdef uint32_t word, want, mine = self.slot + 1
    self.lock_waits += 1
    waiter_reset(&w)
    while True:
        word = ld32_rlx(&l.word)
        if write:
            if not word & (RW_WRITER | LOCK_OWNER):
                if cas32(&l.word, word, (word & LOCK_SLEEPERS) | RW_WRITER | mine):
                    return 0
                continue
            want = word | RW_WAITING | LOCK_SLEEPERS
        else:
            if not word & (RW_WRITER | RW_WAITING):
                if cas32(&l.word, word, word + 1):
                    return 0
                continue
            want = word | LOCK_SLEEPERS
        if word & RW_WRITER and slot_dead(self, word):
            # A reader turns the dead writer's hold into its own read hold and admits the others.
            if cas32(&l.word, word, LOCK_SLEEPERS | RW_WRITER | mine if write else 1):
                self.owner_deaths += 1
                if not write:
                    self.wakes += 1
                    point_wake(self, &l.word, 0x7FFFFFFF)
                return LOCK_DIED
            continue
        if waiter_spin(self, &w):
            continue
        if word != want and not cas32(&l.word, word, want):
            continue
        self.wait_site = site
        self.wait_since_ns = actor_clock(self)
        self.sleeps += 1
        point_wait(self, site << 8 | OP_LOCK_SLEEP, &l.word, want, LOCK_BOUND_NS)
        self.wait_site = 0
        # A dead waiting writer leaves RW_WAITING set; without a holder, no other actor would clear it.
        word = ld32_rlx(&l.word)
        if not write and word & RW_WAITING and not word & (RW_WRITER | LOCK_OWNER):
            cas32(&l.word, word, word & ~<uint32_t>RW_WAITING)
