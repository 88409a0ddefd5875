# cython: language_level=3, cdivision=True
"""Waiting: the eventcount and the spin-yield-sleep policy.

An eventcount is one 64-bit word: the low half is a sequence number and the futex, the high half counts the waiters that have not been
woken yet. Any actor may notify; any actor may wait. Both halves change in one compare-and-swap, so a waiter that gives up can remove
its own mark without removing another's.

    waiter: key = ec_prepare()            (locked add = fence)     notifier: publish the work
            work there? -> ec_cancel()                                       fence
            ec_sleep(key, timeout)                                           waiters > 0 ? sequence + 1, wake
    The waiter's locked add pairs with the notifier's fence: one of the two sees the other.

Concurrency: all operations against all. A waiter that is killed leaves the count too high, which costs one later system call. Every
sleep has a timeout. A sleep that times out while work is present is counted in ``timeouts_with_work`` and means a lost wake-up: it must
stay 0.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *

cdef enum:
    LOST_BOUND_NS = 100000000

cdef struct eventcount:
    uint64_t word

cdef struct waiter:
    uint32_t spins
    uint32_t yields

cdef inline eventcount *bell_of(iopf_actor *actor) noexcept nogil:
    """The actor's own doorbell (crew.h, line 2): the owner waits on it, any actor may ring it."""
    return <eventcount *>&actor.bell_seq

cdef inline uint32_t ec_prepare(iopf_actor *self, eventcount *ec, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_BELL_ARM, ec, ACC_RMW)
    return <uint32_t>xadd64(&ec.word, <uint64_t>1 << 32)

cdef inline void ec_cancel(iopf_actor *self, eventcount *ec, uint32_t key) noexcept nogil:
    """Remove the own mark, unless a notifier has. The point is named after the previous step."""
    cdef uint64_t word
    while True:
        point(self, (self.last_point >> 8) << 8 | OP_BELL_CANCEL, ec, ACC_RMW)
        word = ld64_rlx(&ec.word)
        if <uint32_t>word != key or word >> 32 == 0:
            return
        if cas64(&ec.word, word, word - (<uint64_t>1 << 32)):
            return

cdef inline int ec_sleep(iopf_actor *self, eventcount *ec, uint32_t key, uint64_t timeout_ns, uint32_t site) noexcept nogil:
    """Return 0 when notified (or woken spuriously), -ETIMEDOUT (-110) at the timeout. Ends the preparation in every case."""
    cdef int ret
    self.sleeps += 1
    self.wait_site = site
    self.wait_since_ns = actor_clock(self)
    ret = point_wait(self, site << 8 | OP_BELL_SLEEP, <uint32_t *>&ec.word, key, timeout_ns)
    self.wait_site = 0
    self.heartbeat += 1
    if ret == -110:
        ec_cancel(self, ec, key)
        self.wait_timeouts += 1
        return ret
    return 0  # the notifier removed the mark; after a signal it stays, and costs the next notifier a system call

cdef inline uint32_t ec_notify(iopf_actor *self, eventcount *ec, uint32_t most, uint32_t site) noexcept nogil:
    """Wake at most ``most`` waiters; return the number of attempts. No system call without waiters."""
    cdef uint64_t word
    cdef uint32_t waiting
    point(self, site << 8 | OP_BELL_RING, ec, ACC_WAKE)
    fence()  # pairs with the locked add of ec_prepare
    while True:
        word = ld64_rlx(&ec.word)
        waiting = <uint32_t>(word >> 32)
        if waiting == 0:
            return 0
        if waiting > most:
            waiting = most
        if cas64(&ec.word, word, (word & <uint64_t>0xFFFFFFFF00000000) - (<uint64_t>waiting << 32)
                 | <uint32_t>(<uint32_t>word + 1)):
            self.wakes += 1
            point_wake(self, <uint32_t *>&ec.word, waiting)
            return waiting

cdef inline uint32_t bell_ring(iopf_actor *self, iopf_actor *other, uint32_t site) noexcept nogil:
    return ec_notify(self, bell_of(other), 1, site)

cdef inline void waiter_reset(waiter *w) noexcept nogil:
    w.spins = 0
    w.yields = 0

cdef inline bint waiter_sleep(iopf_actor *self, eventcount *ec, uint32_t key, uint64_t timeout_ns, uint32_t site,
                              waiter *w) noexcept nogil:
    """Sleep after a preparation. After a notification the next wait starts with its pauses again; after a timeout it does not, so
    that an idle process goes straight back to sleep. True after a timeout: the caller then calls ``wake_lost`` if there is work."""
    if ec_sleep(self, ec, key, timeout_ns, site) == -110:
        return True
    waiter_reset(w)
    return False

cdef inline void wake_lost(iopf_actor *self, eventcount *ec, uint32_t site) noexcept nogil:
    """Work is present without a notification before the timeout. Either its producer is about to notify, or a wake-up was lost;
    only the second is counted, after waiting for the notification once more."""
    cdef uint32_t key = ec_prepare(self, ec, site)
    if ec_sleep(self, ec, key, LOST_BOUND_NS, site) == -110:
        self.timeouts_with_work += 1

cdef inline bint waiter_spin(iopf_actor *self, waiter *w) noexcept nogil:
    """One step of waiting without sleeping: first pauses, then yields; false when it is time to sleep.

    The limits are in the crew: with a core per process long pauses are cheap; with fewer cores they starve the process that is waited for
    (measured: 1,000 times slower), so there are few pauses, some yields and then the futex.
    """
    cdef iopf_crew *crew = crew_of(self)
    self.heartbeat += 1
    if iopf_unlikely(self.mode == POINT_CONTROLLED):
        return False  # nothing changes while no other actor runs
    if w.spins < crew.spins:
        w.spins += 1
        cpu_pause()
        return True
    if w.yields < crew.yields:
        w.yields += 1
        self.yields += 1
        sched_yield()
        return True
    return False
