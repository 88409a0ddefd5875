# cython: language_level=3, cdivision=True
"""Who goes next. One function chooses for every strategy, since every process has to choose alike.

    FIRST    whoever goes goes on; then the lowest slot: a schedule without preemptions
    RANDOM   uniform over those who can go, at every step
    PCT      priorities; at depth - 1 steps of the schedule whoever runs falls behind all others (Burckhardt et al., ASPLOS 2010)
    POS      every pending step has a random priority, drawn again when a step that it depends on has been made (Yuan et al., CAV 2018)
    URW      by the number of steps that each actor still has, learned from the schedule before: uniform over interleavings
    PATH     follows the path on the stage, then FIRST
    LOOSE    the same, but whoever cannot go when its turn comes is passed over: for paths that are being changed
    ORDERED  like FIRST, but a step that a constraint puts behind another one waits for it; when all wait, they do not
    TREE     all schedules, one after the other (``tree.pxd``)

Any strategy of an exploration may also let the time of a sleep pass although others could go on, once in ``stage.early`` choices. A
path may do so at any step, a bounded walk wherever it may still preempt.

State: ``stage`` line 0 and the slots' priorities, written by whoever has the token.
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
    # On the stage, in the place of the path: the step of an actor that comes before that of another, and how often each has been there.
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
