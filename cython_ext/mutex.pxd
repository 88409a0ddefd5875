# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The robust mutex, the reader-writer lock, and lock-order checking.

Mutex word: bits 0..15 the owner's slot + 1, bit 31 a waiter sleeps. Written by lockers and the owner. Locking has acquire, unlocking
release semantics (both are locked instructions). The owner is a slot of the crew, not a pid: state DEAD of a slot means that the
supervisor's pidfd confirmed the death. The next locker then takes the word over and gets EOWNERDEAD (130); the caller decides whether
the protected data is consistent.

    An owner killed before its unlock leaves its slot in the word: taken over after its death is confirmed.
    An owner killed between clearing the word and waking leaves a sleeper: it wakes at its timeout and finds the word free.

Reader-writer word: bit 29 a writer waits (blocks new readers), bit 30 a writer holds it, bit 31 a waiter sleeps; bits 0..15 the
writer's slot + 1 or the number of readers. Hold and owner change in one instruction, so a dead writer is always identified and taken
over like a dead owner. A dead reader cannot be distinguished from a live one; readers are kernel processes only, and their death ends
the machine.

Lock order: every lock has a class (0..31). Taking class c while holding class h records the edge h -> c in the crew once; an edge that
closes a cycle is a verdict (as in lockdep), even without an actual deadlock. The edge is recorded before the search for a cycle, so of
two actors that close a cycle together at least one sees it. Waiting for a work ring is an edge to the ring's class as well
(``lockdep_acquire`` / ``lockdep_release`` around the wait and the work).
"""

from libc.stdint cimport uint32_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *

cdef enum:
    LOCK_DIED = 130            # EOWNERDEAD
    LOCK_SLEEPERS = 0x80000000
    LOCK_OWNER = 0xFFFF
    RW_WRITER = 0x40000000
    RW_WAITING = 0x20000000
    LOCK_SPINS = 40            # pauses before yielding: longer than a lock is held, unless its holder is preempted
    LOCK_BOUND_NS = 20000000   # sleep of a locker before it checks whether the owner died

cdef struct rmutex:
    uint32_t word
    uint32_t cls

cdef struct rwlock:
    uint32_t word
    uint32_t pad0
    uint32_t cls
    uint32_t pad1

cdef bint lockdep_reaches(iopf_crew *crew, uint32_t start, uint32_t target) noexcept nogil
cdef void lockdep_edge(iopf_actor *self, uint32_t held, uint32_t cls, uint32_t site) noexcept nogil
cdef int mutex_lock_slow(iopf_actor *self, rmutex *m, uint32_t site) noexcept nogil
cdef int rw_lock_slow(iopf_actor *self, rwlock *l, bint write, uint32_t site) noexcept nogil

cdef inline void lockdep_acquire(iopf_actor *self, uint32_t cls, uint32_t site) noexcept nogil:
    cdef iopf_crew *crew = crew_of(self)
    cdef uint32_t i, n = self.held_count
    if not crew.lockdep or cls >= CREW_MAX_CLASSES:
        return
    if n > CREW_HELD:
        n = CREW_HELD
    for i in range(n):
        if iopf_unlikely(self.held[i] >= CREW_MAX_CLASSES):
            continue
        if iopf_unlikely(not (ld32_rlx(&crew.lock_order[self.held[i]]) >> cls) & 1):
            lockdep_edge(self, self.held[i], cls, site)
    if self.held_count < CREW_HELD:
        self.held[self.held_count] = cls
    self.held_count += 1

cdef inline void lockdep_release(iopf_actor *self, uint32_t cls) noexcept nogil:
    cdef uint32_t i, n
    if not crew_of(self).lockdep or cls >= CREW_MAX_CLASSES or self.held_count == 0:
        return
    n = self.held_count if self.held_count < CREW_HELD else CREW_HELD
    i = n
    while i > 0 and self.held[i - 1] != cls:
        i -= 1
    if i == 0:
        # A class without room in `held`; once there is room, holes (CREW_MAX_CLASSES) represent such classes.
        i = n
        while i > 0 and self.held[i - 1] < CREW_MAX_CLASSES:
            i -= 1
        if i == 0 and self.held_count <= CREW_HELD:
            return  # not held: nothing to release
    self.held_count -= 1
    if i == 0:
        return
    while i < n:
        self.held[i - 1] = self.held[i]
        i += 1
    self.held[n - 1] = CREW_MAX_CLASSES

cdef inline int mutex_lock(iopf_actor *self, rmutex *m, uint32_t site) noexcept nogil:
    """Return 0, or LOCK_DIED if the last owner died holding it (the caller owns it in both cases)."""
    lockdep_acquire(self, m.cls, site)
    point(self, site << 8 | OP_LOCK_CAS, m, ACC_LOCK)
    if iopf_likely(cas32(&m.word, 0, self.slot + 1)):
        return 0
    return mutex_lock_slow(self, m, site)

cdef inline void mutex_unlock(iopf_actor *self, rmutex *m, uint32_t site) noexcept nogil:
    cdef uint32_t old
    point(self, site << 8 | OP_UNLOCK, m, ACC_UNLOCK)
    old = xchg32(&m.word, 0)
    lockdep_release(self, m.cls)
    if iopf_unlikely((old & LOCK_OWNER) != self.slot + 1):
        verdict_raise(self, VERDICT_LOCK_MISUSE, m.cls, old, 0, (old & LOCK_OWNER) - 1, 0, site)
    if iopf_unlikely(old & LOCK_SLEEPERS):
        self.wakes += 1
        point_wake(self, &m.word, 1)

cdef inline bint mutex_held(iopf_actor *self, rmutex *m) noexcept nogil:
    return (ld32_rlx(&m.word) & LOCK_OWNER) == self.slot + 1

cdef inline uint32_t mutex_owner(rmutex *m) noexcept nogil:
    """Slot + 1 of the current owner, 0 without one. It may change unless the caller prevents that."""
    return ld32_rlx(&m.word) & LOCK_OWNER

cdef inline int read_lock(iopf_actor *self, rwlock *l, uint32_t site) noexcept nogil:
    cdef uint32_t word
    lockdep_acquire(self, l.cls, site)
    point(self, site << 8 | OP_READ_LOCK, l, ACC_LOCK)
    word = ld32_rlx(&l.word)
    if iopf_likely(not word & (RW_WRITER | RW_WAITING)) and cas32(&l.word, word, word + 1):
        return 0
    return rw_lock_slow(self, l, False, site)

cdef inline void read_unlock(iopf_actor *self, rwlock *l, uint32_t site) noexcept nogil:
    cdef uint32_t old
    point(self, site << 8 | OP_READ_UNLOCK, l, ACC_UNLOCK)
    old = xadd32(&l.word, <uint32_t>-1)
    lockdep_release(self, l.cls)
    if iopf_unlikely((old & LOCK_OWNER) == 0 or old & RW_WRITER):
        verdict_raise(self, VERDICT_LOCK_MISUSE, l.cls, old, 0, 0, 1, site)
    if iopf_unlikely(old & LOCK_SLEEPERS) and (old & LOCK_OWNER) == 1:
        and_32(&l.word, ~<uint32_t>LOCK_SLEEPERS)
        self.wakes += 1
        point_wake(self, &l.word, 0x7FFFFFFF)

cdef inline int write_lock(iopf_actor *self, rwlock *l, uint32_t site) noexcept nogil:
    lockdep_acquire(self, l.cls, site)
    point(self, site << 8 | OP_WRITE_LOCK, l, ACC_LOCK)
    if iopf_likely(cas32(&l.word, 0, RW_WRITER | (self.slot + 1))):
        return 0
    return rw_lock_slow(self, l, True, site)

cdef inline void write_unlock(iopf_actor *self, rwlock *l, uint32_t site) noexcept nogil:
    cdef uint32_t old
    point(self, site << 8 | OP_WRITE_UNLOCK, l, ACC_UNLOCK)
    old = xchg32(&l.word, 0)  # a waiting writer sets its bit again when it retries
    lockdep_release(self, l.cls)
    if iopf_unlikely(not old & RW_WRITER or (old & LOCK_OWNER) != self.slot + 1):
        verdict_raise(self, VERDICT_LOCK_MISUSE, l.cls, old, 0, (old & LOCK_OWNER) - 1, 2, site)
    if iopf_unlikely(old & LOCK_SLEEPERS):
        self.wakes += 1
        point_wake(self, &l.word, 0x7FFFFFFF)
