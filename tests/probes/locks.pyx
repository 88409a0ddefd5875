# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Handles on blocking primitives (eventcount, mutex, rwlock) and on the reference count.

The ``hammer`` loops deliberately split an update into two steps (a load and its store, two halves of a pair), so that a lock that admits
two holders shows in the result.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from tests.probes.crew cimport ALL, SECOND_NS, SITE, Crew, Handle
from iopf.cython_ext.refcount cimport *
from iopf.cython_ext.wait cimport *

LOCK_DIED_STATUS = LOCK_DIED
REFCOUNT_SATURATED = REF_SATURATED


cdef struct word_wait:
    uint64_t *word
    uint64_t want


cdef uint64_t word_there(void *arg) noexcept nogil:
    """The word itself is the mark, so that a change shows that another waiter is at work."""
    cdef uint64_t word = ld64_acq((<word_wait *>arg).word)
    if word == <uint64_t>-1:
        return UNRUNG
    return word << 2 | THERE if word >= (<word_wait *>arg).want else NOTHING


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

    def wait_word(self, uint64_t offset, uint64_t want, uint64_t bound_ns=<uint64_t>-1) -> int:
        """``wait_until`` for the word at ``offset`` to be ``want`` or more; a word of UINT64_MAX is there, but not rung for."""
        cdef word_wait wait
        cdef int ret
        wait.word, wait.want = <uint64_t *>self.crew.memory.at(offset, 8), want
        with nogil:
            ret = wait_until(self.self, self.ec, word_there, &wait, bound_ns, SITE)
        return ret

    def serve_word(self, uint64_t offset, uint64_t want, uint64_t pause_ns=<uint64_t>-1) -> int:
        """A loop over ``wait_work`` until the word is ``want`` or more; returns how many sleeps it made. ``pause_ns``: what the loop has
        to do by its own clock, again and again."""
        cdef word_wait wait
        cdef uint64_t due_ns = pause_ns, before = self.self.sleeps
        cdef waiter w
        wait.word, wait.want = <uint64_t *>self.crew.memory.at(offset, 8), want
        waiter_reset(&w)
        with nogil:
            while ld64_acq(wait.word) < want:
                if waiter_spin(self.self, &w):
                    continue
                if pause_ns != <uint64_t>-1:
                    due_ns = actor_clock(self.self) + pause_ns
                wait_work(self.self, self.ec, word_there, word_there, &wait, &due_ns, SITE, &w)
        return self.self.sleeps - before

    def take_turns(self, uint64_t turn_offset, EventCount other not None, uint32_t me, uint32_t parties, uint32_t rounds) -> int:
        """Wait here for the turn ``me`` and pass it on, ``rounds`` times; return the number of sleeps that timed out with the turn present
        (lost wake-ups), or -1 after five seconds without a turn. Each actor waits on its own word; ``other`` is that of the next."""
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
                            # The previous actor may be about to ring: a ring that does not arrive within a second is lost.
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
        """``cls`` formats the mutex with that lock class; without it, an existing one is used."""
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
        """Add to a counter by separate load and store under the lock; return the number of owner deaths."""
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
        """Read two words that writers move together, and write them in one of ``write_every`` rounds; return the torn views."""
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
        """Take and put a reference; return how often the put was the last one."""
        cdef uint64_t _i, last = 0
        with nogil:
            for _i in range(rounds):
                if ref_get_not_zero(self.self, self.r, SITE):
                    last += ref_put(self.self, self.r, SITE)
        return last
