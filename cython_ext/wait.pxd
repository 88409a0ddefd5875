# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Waiting: the eventcount, the spin-yield-sleep policy, and the two ways to wait that all loops use.

An eventcount is one 64-bit word: the low half is a sequence number and the futex, the high half counts the waiters that have not been
woken yet. Any actor may notify; any actor may wait. Both halves change in one compare-and-swap, so a waiter that gives up can remove
its own mark without removing another's.

    waiter: key = ec_prepare()            (locked add = fence)     notifier: publish the work
            work there? -> ec_cancel()                                       fence
            ec_sleep(key, timeout)                                           waiters > 0 ? sequence + 1, wake
    The waiter's locked add pairs with the notifier's fence: one of the two sees the other.

What may run against what: everything against everything. A waiter that is killed leaves the count too high, which
costs one system call later and nothing else.

    wait_until   waits for a condition that others make true
    wait_work    one sleep of a loop that serves work while it waits

Both take the condition as a function and an argument. It returns 0, or a mark of what is there (``enum Mark``). Both look at it again
between preparation and sleep, sleep for HEARTBEAT_NS at most, so that a wait whose other side is dead is looked at again, and count the
heartbeat. A sleep that ended by HEARTBEAT_NS although what it waits for is there is a lost wake-up, unless the notifier is between
publishing and ringing: ``wait_lost`` decides, and counts in ``timeouts_with_work``, which must stay 0. A shorter bound is a time of the
program and is not counted: when it ends, what is there is found by the next look.

``iopf_crew.drop`` names a site (and a role); ``ec_notify`` then loses every wake-up of a waiter that has prepared there, until one has
been counted as lost. Tests write it before the start; ``armed_site`` and ``armed_at`` of an actor, by its owner before the locked
add of ``ec_prepare``, are read for this only.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *

ctypedef uint64_t (*wait_condition)(void *arg) noexcept nogil

cdef enum Mark:
    NOTHING = 0
    THERE = 1                # other marks, too: they change when another waiter works on what is there
    UNRUNG = 2               # there, but no notifier has to ring for it

cdef enum:
    HEARTBEAT_NS = 400000000     # the bound of a sleep that another actor ends
    LOST_ROUND_NS = 100000000
    LOST_ROUNDS = 5
    LOST_TRIES = 40
    WAIT_TIMED_OUT = -110

cdef struct eventcount:
    uint64_t word

cdef struct waiter:
    uint32_t spins
    uint32_t yields

cdef inline eventcount *bell_of(iopf_actor *actor) noexcept nogil:
    """The actor's own doorbell (crew.h, line 2): the owner waits on it, any actor may ring it."""
    return <eventcount *>&actor.bell_seq

cdef inline uint32_t ec_place(const iopf_crew *crew, const eventcount *ec) noexcept nogil:
    """The same in every process, wherever it has mapped the memory."""
    return <uint32_t>((<const char *>ec - <const char *>crew) >> 3)

cdef inline uint32_t ec_prepare(iopf_actor *self, eventcount *ec, uint32_t site) noexcept nogil:
    self.armed_site = site
    self.armed_at = ec_place(crew_of(self), ec)
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

cdef inline int ec_rest(iopf_actor *self, eventcount *ec, uint32_t key, uint64_t timeout_ns, uint32_t site) noexcept nogil:
    """0 when notified (or spuriously woken), -ETIMEDOUT at the bound: then the preparation still stands."""
    cdef int ret
    self.sleeps += 1
    self.wait_site = site
    self.wait_since_ns = actor_clock(self)
    ret = point_wait(self, site << 8 | OP_BELL_SLEEP, <uint32_t *>&ec.word, key, timeout_ns)
    self.wait_site = 0
    self.heartbeat += 1
    return ret  # a notifier has taken the mark; after a signal it stays, and costs the next notifier a system call

cdef inline int ec_sleep(iopf_actor *self, eventcount *ec, uint32_t key, uint64_t timeout_ns, uint32_t site) noexcept nogil:
    """0 when notified (or spuriously woken), -ETIMEDOUT at the bound. Ends the preparation in every case."""
    if ec_rest(self, ec, key, timeout_ns, site) != WAIT_TIMED_OUT:
        return 0
    ec_cancel(self, ec, key)
    self.wait_timeouts += 1
    return WAIT_TIMED_OUT

cdef inline bint ring_dropped(iopf_actor *self, eventcount *ec) noexcept nogil:
    """Whether a test wants this wake-up lost: a waiter of ``ec`` has prepared at the site of ``crew.drop``."""
    cdef iopf_crew *crew = crew_of(self)
    cdef uint32_t i, site = ld32_rlx(&crew.drop) & 0xFFFF, role = ld32_rlx(&crew.drop) >> 16
    cdef iopf_actor *other
    for i in range(crew.actors):
        other = crew_actor(crew, i)
        if other.armed_site == site and other.armed_at == ec_place(crew, ec) and (role == 0 or other.role + 1 == role):
            xadd32(&crew.dropped, 1)
            return True
    return False

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
        if iopf_unlikely(crew_of(self).drop != 0) and ring_dropped(self, ec):
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

cdef inline void wait_lost(iopf_actor *self, eventcount *ec, uint32_t key, uint64_t mark, wait_condition owed, void *arg,
                           uint32_t site) noexcept nogil:
    """Counts a lost wake-up, unless the ring still comes. The sleep before this has ended by its bound, ``mark`` is there, and the
    preparation still stands, so a ring at any time since then ends the first sleep here.

    A notifier that was preempted between publishing and ringing runs again within LOST_ROUNDS rounds. On a loaded machine this process
    runs late, too: a round that took half as long again as it should proves nothing, and another one follows, up to LOST_TRIES.
    ``owed`` (or NULL) says whether the same thing is still there: when another waiter works on it, no wake-up was lost.
    """
    cdef uint32_t rounds = 0, tries = 0
    cdef uint64_t since
    while rounds < LOST_ROUNDS and tries < LOST_TRIES:
        since = actor_clock(self)
        if ec_rest(self, ec, key, LOST_ROUND_NS, site) != WAIT_TIMED_OUT or (owed != NULL and owed(arg) != mark):
            return
        tries += 1
        rounds += actor_clock(self) - since < LOST_ROUND_NS + LOST_ROUND_NS // 2
    self.timeouts_with_work += 1
    self.lost_site = site
    if ld32_rlx(&crew_of(self).drop) & 0xFFFF == site:
        st32_rel(&crew_of(self).drop, 0)

cdef inline int wait_sleep(iopf_actor *self, eventcount *ec, uint32_t key, uint64_t bound_ns, wait_condition owed, void *arg,
                           uint32_t site) noexcept nogil:
    """The sleep after a preparation and its re-check: 0 when notified, -ETIMEDOUT at the bound. ``owed`` not NULL: what a notifier has
    to ring for, and has not rung for if it is there at the bound."""
    cdef uint64_t mark = NOTHING
    if ec_rest(self, ec, key, bound_ns, site) != WAIT_TIMED_OUT:
        return 0
    self.wait_timeouts += 1
    if owed != NULL:
        mark = owed(arg)
    if mark != NOTHING and mark != UNRUNG:
        wait_lost(self, ec, key, mark, owed, arg, site)
    ec_cancel(self, ec, key)
    return WAIT_TIMED_OUT

cdef inline int wait_until(iopf_actor *self, eventcount *ec, wait_condition condition, void *arg, uint64_t bound_ns,
                           uint32_t site) noexcept nogil:
    """Waits until the condition holds; 0, or -ETIMEDOUT after ``bound_ns`` (UINT64_MAX: none). The condition is not asked again after
    it has held, so it may take what it finds."""
    cdef uint64_t until = <uint64_t>-1, now, left = HEARTBEAT_NS, mark
    cdef uint32_t key
    cdef waiter w
    waiter_reset(&w)
    if bound_ns != <uint64_t>-1:
        until = actor_clock(self) + bound_ns
    while not condition(arg):
        if waiter_spin(self, &w):
            continue
        key = ec_prepare(self, ec, site)
        if condition(arg):
            ec_cancel(self, ec, key)
            return 0
        if until != <uint64_t>-1:
            now = actor_clock(self)
            if now >= until:
                ec_cancel(self, ec, key)
                return WAIT_TIMED_OUT
            left = until - now if until - now < HEARTBEAT_NS else HEARTBEAT_NS
        if ec_rest(self, ec, key, left, site) != WAIT_TIMED_OUT:
            waiter_reset(&w)
            continue
        self.wait_timeouts += 1
        mark = condition(arg)
        if mark != NOTHING and mark != UNRUNG:
            wait_lost(self, ec, key, mark, NULL, arg, site)
        ec_cancel(self, ec, key)
        if mark != NOTHING:
            return 0
    return 0

cdef inline void wait_work(iopf_actor *self, eventcount *ec, wait_condition look, wait_condition owed, void *arg, const uint64_t *due_ns,
                           uint32_t site, waiter *w) noexcept nogil:
    """One sleep of a loop that serves work, when ``waiter_spin`` has said that it is time; returns when there may be work.

    ``look`` is asked between preparation and sleep; it may serve what it finds. ``owed`` changes nothing and says what of it a notifier
    has to ring for. ``due_ns`` (or NULL) is when the loop has something to do by its own clock, UINT64_MAX never; read after ``look``.
    """
    cdef uint32_t key = ec_prepare(self, ec, site)
    cdef uint64_t bound_ns = HEARTBEAT_NS, now
    if look(arg):
        ec_cancel(self, ec, key)
        waiter_reset(w)
        return
    if due_ns != NULL and due_ns[0] != <uint64_t>-1:
        now = actor_clock(self)
        if due_ns[0] <= now:
            ec_cancel(self, ec, key)
            return
        bound_ns = timed_ns(self, due_ns[0] - now, HEARTBEAT_NS)
    if wait_sleep(self, ec, key, bound_ns, owed if bound_ns == HEARTBEAT_NS else <wait_condition>NULL, arg, site) == 0:
        waiter_reset(w)
