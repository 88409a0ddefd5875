# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Scheduling strategies. One function chooses for all strategies, because every actor process must choose alike.

    FIRST    the running actor continues until it blocks, then the lowest slot: a schedule without preemptions
    RANDOM   uniform over the runnable slots at every step
    PCT      priorities; at depth - 1 steps the running actor gets the lowest priority (Burckhardt et al., ASPLOS 2010)
    POS      random priority of every pending step, drawn again when a dependent step has run (Yuan et al., CAV 2018)
    URW      by the remaining steps of each actor, learned from the previous schedule: uniform over interleavings
    PATH     follows the path in the run queue, then FIRST
    LOOSE    like PATH, but skips steps whose actor is not runnable: for paths that are being changed
    ORDERED  like FIRST, but the second step of a constraint waits for the first, unless all runnable steps wait
    TREE     all schedules in order (``tree.pxd``)

Any strategy of an exploration may also let a sleep time out while actors are runnable, in one choice of ``early``. A path may do so at
any step, a bounded walk wherever it may preempt.

State: line 0 of the run queue and the priorities of the slots, written by the holder of the token.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.runqueue cimport runqueue

cpdef enum Strategy:
    STRATEGY_FIRST = 0
    STRATEGY_RANDOM = 1
    STRATEGY_PCT = 2
    STRATEGY_POS = 3
    STRATEGY_URW = 4
    STRATEGY_PATH = 5
    STRATEGY_LOOSE = 6
    STRATEGY_TREE = 7
    STRATEGY_ORDERED = 8

cdef struct ordering:
    # In the run queue in place of the path: a step of an actor that precedes a step of another; each is counted per actor and point.
    uint32_t first_slot
    uint32_t first_point
    uint32_t first_number
    uint32_t first_been
    uint32_t second_slot
    uint32_t second_point
    uint32_t second_number
    uint32_t second_been

cdef void strategy_begin(runqueue *rq, uint32_t strategy, uint32_t depth, uint64_t seed) noexcept nogil
cdef uint32_t strategy_choose(runqueue *rq, uint32_t enabled) noexcept nogil
cdef void strategy_learn(runqueue *rq) noexcept nogil
cdef void strategy_forget(runqueue *rq) noexcept nogil
