# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""All schedules of a system: a depth-first walk through the tree of choices.

A node is the state before a step: runnable actors, their pending steps, and the choices already tried. The tree is cut in three ways:

    reduced    Schedules that differ only in the order of independent steps are equivalent (Mazurkiewicz). Steps depend on each other
               if they access the same word and are not both plain reads. Source sets (Abdulla, Aronis, Jonsson, Sagonas, POPL 2014):
               after each schedule, every pair of dependent steps without another ordering adds an actor that starts the other order
               to the earlier node. Sleep sets (Godefroid) exclude actors that were tried and have met no dependent step since. When
               the tree is exhausted, every behaviour of the system has been explored.
    preemptions
               Every schedule with at most ``bound`` preemptions; a switch from a blocked actor is free (Musuvathi, Qadeer, PLDI
               2007), except to a sleeper that times out while actors are runnable. No reduction.
    delays     The running actor continues until it blocks, then the next slot in turn. Every schedule that deviates at most ``bound``
               times, each time by one slot (Emmi, Qadeer, Rakamaric, POPL 2011), or by a timeout while actors are runnable. These are
               few where many actors wake up at once; a schedule has at most as many preemptions as delays.

The reduction assumes that scheduling points announce every access whose order matters (checked by ``tools/points``), that virtual time
only jumps when no actor is runnable (``timed`` tells whether that matters), and that memory is sequentially consistent. A step that
waits for a lock is pending and not runnable, so of two holders of a lock the order of the acquisitions is reversed, not the releases.

The tree belongs to this process; fibers only. Steps beyond its capacity run without a choice, and the walk is then not complete.
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
    uint32_t todo            # actors to try here
    uint32_t done            # actors tried, including the current choice
    uint32_t sleep           # actors that need not be tried
    uint32_t asleep          # actors blocked on a futex
    uint16_t choice
    uint16_t spent           # preemptions or delays in the steps before
    uint64_t where[16]       # the pending step of each actor: address and kind
    uint8_t kind[16]
    uint8_t op[16]
    # the step that ran
    uint32_t sequence        # its number among its actor's steps, from 1
    uint32_t before          # number + 1 of the previous node that accessed the same word; 0: none
    uint32_t own             # number + 1 of the actor's previous step
    uint32_t clock[16]       # vector clock: steps of each actor that happen before it, inclusive

cdef struct tree:
    node *nodes
    uint32_t depth           # nodes of the path that the next schedule follows
    uint32_t length          # nodes of the last schedule
    uint32_t by              # enum Walk
    uint32_t bound
    uint32_t cut             # a schedule exceeded the capacity
    uint32_t timed           # a timeout was pending while actors were runnable: reduced only
    uint32_t heads[4096]     # by hash of the word: number + 1 of the last node that accessed it
    uint32_t last[16]        # per actor

cdef tree *tree_new(uint32_t by, uint32_t bound) noexcept nogil
cdef void tree_free(tree *t) noexcept nogil
cdef void tree_play(tree *t) noexcept nogil
cdef uint32_t tree_choose(runqueue *rq, uint32_t enabled) noexcept nogil
cdef bint tree_next(tree *t, runqueue *rq) noexcept nogil

cdef inline bint steps_depend(uint64_t a, uint32_t a_kind, uint64_t b, uint32_t b_kind) noexcept nogil:
    """Whether the order of two steps can matter: the same word, and not both plain reads."""
    if a >> 3 != b >> 3 or (a_kind == ACC_READ and b_kind == ACC_READ):
        return False
    return not ((<uint32_t>1 << a_kind | <uint32_t>1 << b_kind) & NEVER_DEPEND)
