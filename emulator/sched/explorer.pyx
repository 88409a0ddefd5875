# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Running many schedules of one system.

    explore    schedules by the strategies of a plan in turn, until one fails or the number is reached
    walk       all schedules, or all within a bound

With processes, the holder of the token at the end of a schedule judges it and starts the next one, so that no other process wakes up.
"""

import mmap

from iopf.emulator.sched.judge import Bug as Outcome

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.memory cimport Memory
from iopf.cython_ext.runqueue cimport *
from iopf.emulator.sched.scheduler cimport TOKEN_NS, Scheduler, use_runqueue
from iopf.emulator.sched.judge cimport *
from iopf.emulator.sched.strategies cimport *
from iopf.emulator.sched.tree cimport *

cdef enum:
    PLANS = 32               # maximum number of strategies of an exploration
    EARLY = 16               # one choice in this many lets time pass
    PATIENCE = 64            # schedules of a walk between two checks of clock and signals
    TELL_NS = 200000000      # between two reports of a walk

cdef struct exploration:
    # In memory shared by the actor processes: the holder of the token judges a schedule and starts the next one.
    uint32_t strategies[32]
    uint32_t depths[32]
    uint32_t plans
    uint32_t bug             # of the schedule ``at``
    uint32_t on
    uint32_t tso             # every other round of the plan delays stores
    uint32_t early           # one round of four lets time pass by choice
    uint32_t pad
    uint64_t seed
    uint64_t at
    uint64_t end
    uint64_t max_steps
    uint64_t played
    uint64_t steps


cdef uint32_t follow(Explorer explorer) noexcept nogil:
    """Judge the finished schedule and start the next one. Returns the slot of its first step, or 0."""
    cdef exploration *x = explorer.x
    cdef uint32_t slot
    if not x.on:
        return 0
    while True:
        x.played += 1
        x.steps += explorer.rq.steps
        x.bug = judge(&explorer.v, explorer.rq, &explorer.expected)
        if x.bug != BUG_NONE:
            return 0
        strategy_learn(explorer.rq)
        st64_rel(&x.at, x.at + 1)
        if x.at >= x.end:
            return 0
        slot = explorer._begin()
        if slot != 0:
            return slot


cdef class Explorer(Scheduler):
    """A scheduler that runs many schedules of its system."""

    cdef Memory x_memory
    cdef exploration *x
    cdef public bint early           # some rounds let time pass while actors are runnable
    cdef readonly bint timed         # the last reduced walk excluded timeouts while actors were runnable

    def __cinit__(self, *args, **options):
        self.x_memory = Memory(mmap.mmap(-1, sizeof(exploration)))
        self.x = <exploration *>self.x_memory.base
        self.early = True

    def reset_tokens(self) -> None:
        """Reset before the actor processes start: none has the token, none must exit."""
        cdef uint32_t i
        st32_rel(&self.rq.quit, 0)
        for i in range(RQ_SLOTS):
            st32_rel(&self.rq.slot[i].go, 0)

    def run_actor(self, uint32_t slot) -> None:
        """Run one actor in its own process, forked after ``open``, until ``stop_processes``."""
        self._check_slot(slot)
        self._opened()
        self.initial.watch()
        with nogil:
            use_runqueue(self.rq, self.v.crew)
            rq_run_actor(self.rq, self.v.crew, strategy_choose, slot, <follower><void *>follow, <void *>self)

    def stop_processes(self) -> None:
        """Tell the actor processes to exit."""
        rq_quit(self.rq)

    def reset_strategies(self) -> None:
        """Reset what strategies learned from earlier schedules, so that a search does not depend on them."""
        strategy_forget(self.rq)

    def explore(self, list plan, uint64_t seed, uint64_t first, uint64_t most, uint64_t max_steps=0) -> tuple:
        """Run schedules ``first`` and following, each with the next (strategy, depth) of ``plan`` in turn, until one fails. With ``tso``
        every other round of the plan delays stores; ``delayed`` tells whether the last schedule did. With ``early`` one round of four lets
        sleeps time out at any step.

        Returns (``Bug``, number of the failing schedule, (strategy, depth)), or (BUG_NONE, number after the last, None).
        """
        cdef exploration *x = self.x
        self._opened()
        if not 0 < len(plan) <= PLANS:
            raise ValueError(f"a plan has one to {PLANS} strategies")
        self._set_memory()
        memset(x, 0, sizeof(exploration))
        x.tso = self.rq.memory == RQ_TSO
        x.early = self.early
        for strategy, depth in plan:
            x.strategies[x.plans], x.depths[x.plans] = strategy, depth
            x.plans += 1
        x.seed, x.at, x.end, x.max_steps = seed, first, first + most, max_steps
        if most:
            with nogil:
                self._explore()
        self.played += x.played
        self.steps += x.steps
        return (Outcome(x.bug), x.at, plan[x.at % x.plans] if x.bug != BUG_NONE else None)

    cdef uint32_t _begin(self) noexcept nogil:
        """Restore the initial state for schedule ``at``; with processes, return the slot of its first step."""
        cdef uint64_t number = self.x.at % self.x.plans, turn = self.x.at // self.x.plans
        self.rq.memory = RQ_TSO if self.x.tso and turn & 1 else RQ_SC
        self._start_over(self.x.max_steps)
        self.rq.early = EARLY if self.x.early and turn & 3 == 2 else 0
        strategy_begin(self.rq, self.x.strategies[number], self.x.depths[number], self.x.seed + self.x.at)
        return rq_pick(self.rq, self.v.crew, strategy_choose) if self.x.on else 0

    cdef void _explore(self) noexcept nogil:
        cdef uint32_t slot
        if self.by_processes:
            self.x.on = 1
            slot = self._begin() or follow(self)
            if slot != 0 and not rq_relay(self.rq, slot, &self.x.at, TOKEN_NS):
                self.rq.ended = END_LOST
            if self.rq.ended == END_LOST:
                self.x.bug = BUG_LOST
            self.x.on = 0
            return
        while self.x.at < self.x.end:
            self._begin()
            self.x.bug = self._play()
            if self.x.bug != BUG_NONE:
                return
            strategy_learn(self.rq)
            self.x.at += 1

    @property
    def walkable(self) -> bool:
        """Whether `walk` supports this system: at most 15 actors, as fibers."""
        return self.rq.actors <= TREE_ACTORS and not self.by_processes

    def walk(self, uint32_t by, uint32_t bound, uint64_t budget_ns, uint64_t most=0, tell=None) -> tuple:
        """Run all schedules, reduced (``Walk``, see ``tree.pxd``), or those with at most ``bound`` preemptions or delays, until one fails.

        Returns (``Bug``, number of complete schedules, whether these were all). Memory is sequentially consistent here. Without a bound,
        virtual time advances only when no actor is runnable, and ``timed`` tells whether that excluded schedules; with one, an
        early timeout counts as a preemption. ``tell`` is called periodically with the number of schedules.
        Raises ValueError for a system with too many actors.
        """
        cdef tree *t
        cdef uint64_t now_ns = clock_ns(), until_ns = now_ns + budget_ns, told_ns = now_ns, n = 0, tried
        cdef uint32_t bug = BUG_NONE
        cdef bint more = True, tso = self.tso, still = self.still
        self._opened()
        if not self.walkable:
            raise ValueError(f"a walk supports at most {TREE_ACTORS - 1} actors, as fibers")
        t = tree_new(by, bound)
        if t == NULL:
            raise MemoryError("no memory for the tree of schedules")
        self.tso, self.still = False, by == WALK_REDUCED
        self._set_memory()
        try:
            while more and bug == BUG_NONE and (most == 0 or n < most) and now_ns < until_ns:
                PyErr_CheckSignals()
                if tell is not None and now_ns - told_ns >= TELL_NS:
                    tell(n)
                    told_ns = now_ns
                with nogil:
                    tried = 0
                    while more and bug == BUG_NONE and (most == 0 or n < most) and tried < PATIENCE:
                        self._start_over(0)
                        strategy_begin(self.rq, STRATEGY_TREE, 0, 1)
                        tree_play(t)
                        bug = self._play()
                        tried += 1
                        n += self.rq.ended != END_CUT
                        more = tree_next(t, self.rq)
                now_ns = clock_ns()
            if by == WALK_REDUCED:
                self.timed = t.timed
            complete = not more and not t.cut and bug == BUG_NONE
        finally:
            tree_free(t)
            self.tso, self.still = tso, still
        return (Outcome(bug), n, complete)
