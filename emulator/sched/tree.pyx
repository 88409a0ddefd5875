# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The walk through the tree of schedules. See ``tree.pxd``."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.runqueue cimport *

cdef enum:
    HEADS = 4096

cdef tree *walked            # the tree of the schedule in this process


cdef tree *tree_new(uint32_t by, uint32_t bound) noexcept nogil:
    """A new tree, NULL without memory. ``bound``: of preemptions or delays, depending on ``by``."""
    cdef tree *t = <tree *>calloc(1, sizeof(tree))
    if t == NULL:
        return NULL
    t.nodes = <node *>calloc(TREE_STEPS, sizeof(node))
    if t.nodes == NULL:
        free(t)
        return NULL
    t.by, t.bound = by, bound
    return t


cdef void tree_free(tree *t) noexcept nogil:
    global walked
    if walked == t:
        walked = NULL
    if t != NULL:
        free(t.nodes)
        free(t)


cdef void tree_play(tree *t) noexcept nogil:
    """Called before a schedule with STRATEGY_TREE."""
    global walked
    walked = t
    t.length = 0
    memset(t.heads, 0, sizeof(t.heads))
    memset(t.last, 0, sizeof(t.last))


cdef inline uint32_t *head_of(tree *t, uint64_t where) noexcept nogil:
    return &t.heads[((where >> 3) * <uint64_t>0x9E3779B97F4A7C15) >> 52 & (HEADS - 1)]


cdef void look(node *n, runqueue *rq, uint32_t enabled) noexcept nogil:
    """Fill a new node with the state before the step."""
    cdef uint32_t i
    n.enabled, n.todo, n.done, n.sleep, n.asleep = enabled, 0, 0, 0, 0
    for i in range(1, rq.actors):
        n.where[i] = rq.slot[i].where
        n.kind[i] = <uint8_t>rq.slot[i].kind
        n.op[i] = <uint8_t>(rq.slot[i].id & 0xFF)
        if rq.slot[i].state == RQ_BLOCKED:
            n.asleep |= <uint32_t>1 << i


cdef uint32_t still_asleep(node *before) noexcept nogil:
    """Actors that were tried or asleep at the previous node and do not depend on its step."""
    cdef uint32_t rest = (before.sleep | before.done) & ~(<uint32_t>1 << before.choice), kept = 0, i
    while rest:
        i = trailing_zeros64(rest)
        rest &= rest - 1
        if not steps_depend(before.where[i], before.kind[i], before.where[before.choice], before.kind[before.choice]):
            kept |= <uint32_t>1 << i
    return kept


cdef uint32_t in_turn(uint32_t enabled, uint32_t current) noexcept nogil:
    """The next actor in turn, beginning with ``current`` itself."""
    cdef uint32_t behind = enabled >> current << current
    return <uint32_t>trailing_zeros64(behind if behind else enabled)


cdef uint32_t delays_to(uint32_t enabled, uint32_t current, uint32_t choice) noexcept nogil:
    """Number of runnable actors that are skipped."""
    cdef uint32_t n = 0, next = in_turn(enabled, current)
    while next != choice:
        enabled &= ~(<uint32_t>1 << next)
        next = in_turn(enabled, next)
        n += 1
    return n


cdef uint32_t cost(tree *t, node *n) noexcept nogil:
    """Cost of a node's choice against the bound. Before the first node there is no running actor, and the turn begins with slot 1."""
    cdef uint32_t current = (n - 1).choice if n != t.nodes else 0
    if not n.enabled >> n.choice & 1:
        return 1  # a sleep timed out
    if t.by == WALK_DELAYS:
        return delays_to(n.enabled, current, n.choice)
    return n != t.nodes and n.choice != current and n.enabled >> current & 1


cdef uint32_t within(tree *t, node *n, runqueue *rq, uint32_t current) noexcept nogil:
    """The actors allowed by the rest of the bound."""
    cdef uint32_t left = t.bound - n.spent, rest = n.enabled, may, next
    if t.by == WALK_PREEMPTIONS:
        if left == 0 and n.enabled >> current & 1:
            return <uint32_t>1 << current
        return n.enabled | (rq.first_due if left else 0)
    may = rq.first_due if left else 0
    next = current
    while rest and left + 1:
        next = in_turn(rest, next)
        rest &= ~(<uint32_t>1 << next)
        may |= <uint32_t>1 << next
        left -= 1
    return may


cdef uint32_t choose_fresh(tree *t, node *n, runqueue *rq) noexcept nogil:
    """The first actor to try at a new node; CUT when every choice is redundant."""
    cdef node *before = n - 1 if t.length else NULL
    cdef uint32_t may, current = before.choice if before != NULL else 0
    n.spent = <uint16_t>(before.spent + cost(t, before)) if before != NULL else 0
    if t.by != WALK_REDUCED:
        n.todo = within(t, n, rq, current)
        return in_turn(n.todo & n.enabled, current)
    if before != NULL:
        n.sleep = still_asleep(before)
    may = n.enabled & ~n.sleep
    if rq.first_due:
        t.timed = 1
    if may == 0:
        return CUT
    current = rq.current if may >> rq.current & 1 else <uint32_t>trailing_zeros64(may)
    n.todo = <uint32_t>1 << current
    return current


cdef void begin_other_order(tree *t, uint32_t early, uint32_t late, uint32_t actor, uint32_t *late_clock) noexcept nogil:
    """Make node ``early`` try an actor that starts the steps after it which do not happen after it, ending with the step of ``actor`` at
    ``late``: a schedule in which that step comes first."""
    cdef node *e = &t.nodes[early]
    cdef node *n
    cdef uint32_t first[16]
    cdef uint32_t at, i, q, initials = 0
    cdef bint follows
    if e.asleep >> actor & 1:
        return  # a wake-up orders the two
    memset(first, 0, sizeof(first))
    at = early + 1
    while at <= late:
        n = &t.nodes[at]
        q = actor if at == late else n.choice
        if (at == late or n.clock[e.choice] < e.sequence) and first[q] == 0:
            follows = False
            for i in range(1, TREE_ACTORS):
                if i != q and first[i] and (late_clock[i] if at == late else n.clock[i]) >= first[i]:
                    follows = True
            if not follows:
                initials |= <uint32_t>1 << q
            first[q] = n.sequence if at != late else 1
        at += 1
    if initials & (e.todo | e.done):
        return
    if initials >> actor & 1:
        initials = <uint32_t>1 << actor
    else:
        initials &= ~(initials - 1)
    e.todo |= initials if e.enabled & initials else e.enabled


cdef void order(tree *t, uint32_t at) noexcept nogil:
    """The vector clock of the step at ``at``, and the races that end there."""
    cdef node *n = &t.nodes[at]
    cdef node *e
    cdef uint32_t p = n.choice, i, j, q
    cdef uint32_t base[16]
    cdef uint64_t where = n.where[p]
    cdef uint32_t kind = n.kind[p]
    cdef bint lock = kind == ACC_LOCK
    memset(n.clock, 0, sizeof(n.clock))
    if n.own:
        for i in range(TREE_ACTORS):
            n.clock[i] = t.nodes[n.own - 1].clock[i]
    for i in range(TREE_ACTORS):
        base[i] = n.clock[i]
    j = n.before
    while j:
        e = &t.nodes[j - 1]
        q = e.choice
        if steps_depend(where, kind, e.where[q], e.kind[q]):
            if q != p and e.sequence > base[q] and not (lock and e.kind[q] == ACC_UNLOCK):
                if t.by == WALK_REDUCED and (lock or e.sequence > n.clock[q]):
                    begin_other_order(t, j - 1, at, p, n.clock)
            for i in range(TREE_ACTORS):
                if e.clock[i] > n.clock[i]:
                    n.clock[i] = e.clock[i]
            # Accesses before a write also precede this one; an acquisition follows the release before it.
            if e.kind[q] != ACC_READ and not (lock and (e.kind[q] == ACC_UNLOCK or n.op[p] != OP_LOCK_CAS)):
                break
        j = e.before
    n.clock[p] = n.sequence


cdef uint32_t tree_choose(runqueue *rq, uint32_t enabled) noexcept nogil:
    """The next choice: along the path of ``tree_next``, then freely."""
    cdef tree *t = walked
    cdef uint32_t at, choice
    cdef node *n
    cdef uint32_t *head
    if t == NULL:
        return CUT
    at = t.length
    if at >= TREE_STEPS:
        t.cut = 1
        return rq.current if enabled >> rq.current & 1 else <uint32_t>trailing_zeros64(enabled)
    n = &t.nodes[at]
    if at >= t.depth:
        look(n, rq, enabled)
        choice = choose_fresh(t, n, rq)
        if choice == CUT:
            return CUT
        n.choice = <uint16_t>choice
        n.done = <uint32_t>1 << choice
    choice = n.choice
    n.own = t.last[choice]
    n.sequence = t.nodes[n.own - 1].sequence + 1 if n.own else 1
    head = head_of(t, n.where[choice])
    n.before = head[0]
    if at + 1 >= t.depth:
        order(t, at)
    head[0] = t.last[choice] = at + 1
    t.length = at + 1
    return choice


cdef bint tree_next(tree *t, runqueue *rq) noexcept nogil:
    """Set the path of the next schedule after one has ended; false when there is none."""
    cdef node *n
    cdef uint32_t rest
    while t.length > 0:
        n = &t.nodes[t.length - 1]
        rest = n.todo & ~n.done & ~n.sleep
        if rest:
            n.choice = <uint16_t>trailing_zeros64(rest)
            n.done |= <uint32_t>1 << n.choice
            t.depth = t.length
            return True
        t.length -= 1
    return False
