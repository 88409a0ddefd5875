# cython: language_level=3, cdivision=True
"""Waiting: the eventcount and the spin-yield-sleep policy.

An eventcount is one 64-bit word: the low half is a sequence number and the futex, the high half counts the waiters that
nobody has woken yet. Any actor may notify; any actor may wait. Both halves change in one compare-and-swap, so a waiter
that gives up can take its own mark back without ever taking another's.

    waiter: key = ec_prepare()            (locked add = fence)     notifier: publish the work
            work there? -> ec_cancel()                                       fence
            ec_sleep(key, timeout)                                           waiters > 0 ? sequence + 1, wake
    The waiter's locked add is the partner of the notifier's fence: one of the two sees the other.

What may run against what: everything against everything. A waiter that is killed leaves the count too high, which
costs one system call later and nothing else. Every sleep has a bound; a sleep that ends by its bound while work is
there is counted in ``timeouts_with_work`` and means a lost wake-up: it must stay 0.
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
    """The actor's own doorbell (crew.h, line 2): the owner waits on it, everybody may ring it."""
    return <eventcount *>&actor.bell_seq

cdef inline uint32_t ec_prepare(iopf_actor *self, eventcount *ec, uint32_t site) noexcept nogil:
    point(self, site << 8 | OP_BELL_ARM, ec, ACC_RMW)
    return <uint32_t>xadd64(&ec.word, <uint64_t>1 << 32)

cdef inline void ec_cancel(iopf_actor *self, eventcount *ec, uint32_t key) noexcept nogil:
    """Takes the own mark back, unless a notifier has done so. The point is named after the step before it."""
    cdef uint64_t word
    while True:
        point(self, (self.last_point >> 8) << 8 | OP_BELL_CANCEL, ec, ACC_RMW)
        word = ld64_rlx(&ec.word)
        if <uint32_t>word != key or word >> 32 == 0:
            return
        if cas64(&ec.word, word, word - (<uint64_t>1 << 32)):
            return

cdef inline int ec_sleep(iopf_actor *self, eventcount *ec, uint32_t key, uint64_t timeout_ns, uint32_t site) noexcept nogil:
    """0 when notified (or spuriously woken), -ETIMEDOUT (-110) at the bound. Ends the preparation in every case."""
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
    return 0  # whoever rang has taken the mark; after a signal it stays, and costs the next one who rings a system call

cdef inline uint32_t ec_notify(iopf_actor *self, eventcount *ec, uint32_t most, uint32_t site) noexcept nogil:
    """Wakes at most ``most`` waiters; returns how many it tried to wake. No system call when nobody waits."""
    cdef uint64_t word
    cdef uint32_t waiting
    point(self, site << 8 | OP_BELL_RING, ec, ACC_WAKE)
    fence()  # partner: the locked add of ec_prepare
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
    """Sleeps after a preparation. When notified the next waiting starts anew with its pauses; after the bound it does not, so that
    an idle process goes straight back to sleep. True when the bound ended it: then the caller asks ``wake_lost`` if there is work."""
    if ec_sleep(self, ec, key, timeout_ns, site) == -110:
        return True
    waiter_reset(w)
    return False

cdef inline void wake_lost(iopf_actor *self, eventcount *ec, uint32_t site) noexcept nogil:
    """Work is there although nobody rang before the bound. Either whoever published it is just about to ring, or a wake-up
    was lost: only the second is counted, after waiting for the ring once more."""
    cdef uint32_t key = ec_prepare(self, ec, site)
    if ec_sleep(self, ec, key, LOST_BOUND_NS, site) == -110:
        self.timeouts_with_work += 1

cdef inline bint waiter_spin(iopf_actor *self, waiter *w) noexcept nogil:
    """One step of waiting without sleeping: pauses first, then yields; false when it is time to sleep.

    The bounds stand in the crew: with a core per process long pauses are cheap, with fewer cores they starve the one
    waited for (measured: 1,000 times slower), so there it is few pauses, some yields and then the futex.
    """
    cdef iopf_crew *crew = crew_of(self)
    self.heartbeat += 1
    if iopf_unlikely(self.mode == POINT_CONTROLLED):
        return False  # nothing changes while only one runs
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
