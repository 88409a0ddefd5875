# cython: language_level=3, cdivision=True
"""All schedules of a system, one after the other: a walk through the tree of choices, depth first.

A node is what can be seen before a step: who could go, what each would do, who has been tried. Two ways to cut the tree:

    reduced    Two schedules that differ only in the order of independent steps are one (Mazurkiewicz): same word and one of them no
               plain read is what depends. Source sets (Abdulla, Aronis, Jonsson, Sagonas, POPL 2014): after each schedule every pair of
               dependent steps that nothing else orders puts somebody who begins the other order into the earlier node. Sleep sets
               (Godefroid) keep out whoever has been tried and has nothing new to meet. When the tree is empty, every
               behaviour of the system has been seen.
    preemptions
               Every schedule with at most so many preemptions; a switch where the actor could not go on is free (Musuvathi, Qadeer,
               PLDI 2007), unless it is to a sleeper whose time passes although others could go. Nothing is reduced.
    delays     Whoever goes goes on for as long as it can, then the next in turn. Every schedule that leaves this at most so many times,
               each time by one place in turn (Emmi, Qadeer, Rakamaric, POPL 2011); or by time that passes although others could go.
               These are few where many actors wake up at once, and each of them has at most so many preemptions.

What the first rests on: points announce every access whose order matters (``tools/points`` checks it), time stands still but for
leaps when nobody can go on (``timed`` says whether that mattered), and memory is sequentially consistent. A step that waits for a lock
is pending and not enabled, so of two holders of a lock it is the taking that is turned round, never the giving back.

The walk is this process's own; fibers only. Steps beyond what is kept are played without choice, and the walk is then not complete.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from iopf.cython_ext.crew cimport ACC_FENCE, ACC_LOCAL, ACC_NAP, ACC_READ
from iopf.cython_ext.runqueue cimport runqueue

cpdef enum Walk:
    WALK_REDUCED = 0
    WALK_PREEMPTIONS = 1
    WALK_DELAYS = 2

cdef enum:
    NEVER_DEPEND = 1 << ACC_LOCAL | 1 << ACC_NAP | 1 << ACC_FENCE
    TREE_ACTORS = 16
    TREE_STEPS = 4096

cdef struct node:
    uint32_t enabled
    uint32_t todo            # whom to try here
    uint32_t done            # whom we have tried, the current choice included
    uint32_t sleep           # who need not be tried
    uint32_t asleep          # who sleeps on a futex
    uint16_t choice
    uint16_t spent           # preemptions or delays in the steps before
    uint64_t where[16]       # the pending step of each actor: address and kind
    uint8_t kind[16]
    uint8_t op[16]
    # the step that was made
    uint32_t sequence        # its number among those of its actor, from 1
    uint32_t before          # number + 1 of the node before at which the same word was touched; 0: none
    uint32_t own             # number + 1 of the actor's own step before
    uint32_t clock[16]       # steps of each actor that come before it, itself included

cdef struct tree:
    node *nodes
    uint32_t depth           # nodes of the path that the next schedule has to follow
    uint32_t length          # nodes of the last schedule
    uint32_t by              # enum Walk
    uint32_t bound
    uint32_t cut             # a schedule was longer than what is kept
    uint32_t timed           # somebody slept to a time while others could go, and that time did not come: reduced only
    uint32_t heads[4096]     # by hash of the word: number + 1 of the last node that touched it
    uint32_t last[16]        # by actor

cdef tree *tree_new(uint32_t by, uint32_t bound) noexcept nogil
cdef void tree_free(tree *t) noexcept nogil
cdef void tree_play(tree *t) noexcept nogil
cdef uint32_t tree_choose(runqueue *rq, uint32_t enabled) noexcept nogil
cdef bint tree_next(tree *t, runqueue *rq) noexcept nogil

cdef inline bint steps_depend(uint64_t a, uint32_t a_kind, uint64_t b, uint32_t b_kind) noexcept nogil:
    """Whether the order of two steps can matter: the same word, and not two plain reads."""
    if a >> 3 != b >> 3 or (a_kind == ACC_READ and b_kind == ACC_READ):
        return False
    return not ((<uint32_t>1 << a_kind | <uint32_t>1 << b_kind) & NEVER_DEPEND)
