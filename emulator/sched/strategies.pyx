# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The strategies. See ``strategies.pxd`` for what they do and where their state is."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.runqueue cimport *
from iopf.emulator.sched.tree cimport steps_depend, tree_choose

cdef enum:
    NO_SLOT = 0
    CHANGES = 15             # PCT: maximum number of change points
    BUDGET = 0x7FFFFFFF


cdef inline uint64_t mix(uint64_t x) noexcept nogil:
    """splitmix64: consecutive seeds give independent streams."""
    x += <uint64_t>0x9E3779B97F4A7C15
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


cdef inline uint32_t draw(runqueue *rq, uint32_t n) noexcept nogil:
    """A random number in 0 .. n - 1."""
    return <uint32_t>(((xorshift64(&rq.rng) >> 32) * n) >> 32)


cdef void sort_changes(runqueue *rq, uint32_t n) noexcept nogil:
    cdef uint32_t i, j
    cdef uint64_t x
    for i in range(1, n):
        x = rq.change[i]
        j = i
        while j > 0 and rq.change[j - 1] > x:
            rq.change[j] = rq.change[j - 1]
            j -= 1
        rq.change[j] = x


cdef inline uint32_t slots_of(runqueue *rq) noexcept nogil:
    """Number of slots that may be runnable: actors, and the drains of their store buffers."""
    return rq.actors if rq.memory == RQ_SC else RQ_SLOTS


cdef void strategy_begin(runqueue *rq, uint32_t strategy, uint32_t depth, uint64_t seed) noexcept nogil:
    """Prepare the first step of a schedule. ``length`` and ``expected`` come from the previous one."""
    cdef uint32_t i, n
    rq.strategy = strategy
    rq.depth = depth
    rq.rng = mix(seed) or 1
    rq.current = NO_SLOT
    rq.path_at = 0
    if strategy == STRATEGY_POS or strategy == STRATEGY_PCT:
        for i in range(slots_of(rq)):
            rq.slot[i].priority = (xorshift64(&rq.rng) >> 8) + CHANGES + 1
    if strategy == STRATEGY_PCT:
        n = depth - 1 if 0 < depth <= CHANGES else CHANGES
        for i in range(n):
            rq.change[i] = 1 + draw(rq, <uint32_t>rq.length if rq.length else 64)
        sort_changes(rq, n)
        rq.change[n] = <uint64_t>-1


cdef uint32_t nth(uint32_t mask, uint32_t n) noexcept nogil:
    """The n-th set bit, from 0."""
    while n:
        mask &= mask - 1
        n -= 1
    return trailing_zeros64(mask)


cdef uint32_t highest(runqueue *rq, uint32_t enabled) noexcept nogil:
    cdef uint32_t best = NO_SLOT, i
    cdef uint64_t priority = 0
    while enabled:
        i = trailing_zeros64(enabled)
        enabled &= enabled - 1
        if best == NO_SLOT or rq.slot[i].priority > priority:
            best = i
            priority = rq.slot[i].priority
    return best


cdef uint32_t first(runqueue *rq, uint32_t enabled) noexcept nogil:
    return rq.current if enabled >> rq.current & 1 else <uint32_t>trailing_zeros64(enabled)


cdef uint32_t pct(runqueue *rq, uint32_t enabled) noexcept nogil:
    """The change points are at the end of ``change``; ``depth`` counts the remaining ones."""
    cdef uint32_t best, i, n = 0
    while rq.steps >= rq.change[0]:
        if rq.current != NO_SLOT:
            # A later change gives a lower priority, below every initial one.
            n = rq.depth
            rq.slot[rq.current].priority = n
            rq.depth -= 1
        for i in range(CHANGES):
            rq.change[i] = rq.change[i + 1]
        rq.change[CHANGES] = <uint64_t>-1
    best = highest(rq, enabled)
    rq.budget = rq.change[0] - rq.steps - 1 if rq.change[0] - rq.steps < BUDGET else BUDGET
    if rq.steps + rq.budget >= rq.max_steps or (rq.early and rq.first_due):
        rq.budget = 0
    return best


cdef inline bint dependent(rq_slot *a, rq_slot *b) noexcept nogil:
    """Whether the order of two pending steps can matter: the same word, and not both reads."""
    return steps_depend(a.where, a.kind, b.where, b.kind)


cdef uint32_t pos(runqueue *rq, uint32_t enabled) noexcept nogil:
    cdef uint32_t best = highest(rq, enabled), i, rest = rq.ready | rq.buffered | <uint32_t>1 << best
    while rest:
        i = trailing_zeros64(rest)
        rest &= rest - 1
        if i == best or dependent(&rq.slot[i], &rq.slot[best]):
            rq.slot[i].priority = (xorshift64(&rq.rng) >> 8) + 1
    return best


cdef uint32_t urw(runqueue *rq, uint32_t enabled) noexcept nogil:
    cdef uint64_t sum = 0, pick
    cdef uint64_t upto[32]
    cdef uint32_t n = 0, rest = enabled
    cdef rq_slot *s
    while rest:
        s = &rq.slot[trailing_zeros64(rest)]
        rest &= rest - 1
        sum += s.expected - s.taken if s.expected > s.taken else 1
        upto[n] = sum
        n += 1
    pick = draw(rq, <uint32_t>sum)
    n = 0
    while pick >= upto[n]:
        n += 1
    return nth(enabled, n)


cdef uint32_t loose(runqueue *rq, uint32_t enabled) noexcept nogil:
    cdef uint8_t *path = <uint8_t *>(<char *>rq + rq.path)
    while rq.path_at < rq.path_steps:
        rq.path_at += 1
        if (enabled | rq.first_due) >> path[rq.path_at - 1] & 1:
            return path[rq.path_at - 1]
    return first(rq, enabled)


cdef bint has_to_wait(runqueue *rq, ordering *table, uint32_t slot) noexcept nogil:
    cdef ordering *o
    cdef uint64_t i
    for i in range(rq.path_steps):
        o = &table[i]
        if (o.second_slot == slot and o.second_point == rq.slot[slot].id and o.second_been + 1 == o.second_number
                and o.first_been < o.first_number):
            return True
    return False


cdef uint32_t ordered(runqueue *rq, uint32_t enabled) noexcept nogil:
    """``path_steps`` orderings are stored in place of the path; ``depth`` counts the steps at which all runnable actors had to wait."""
    cdef ordering *table = <ordering *>(<char *>rq + rq.path)
    cdef uint32_t rest = enabled, free = 0, i, slot
    cdef uint64_t at
    while rest:
        i = trailing_zeros64(rest)
        rest &= rest - 1
        if not has_to_wait(rq, table, i):
            free |= <uint32_t>1 << i
    rq.depth += free == 0
    slot = first(rq, free if free else enabled)
    for at in range(rq.path_steps):
        table[at].first_been += table[at].first_slot == slot and table[at].first_point == rq.slot[slot].id
        table[at].second_been += table[at].second_slot == slot and table[at].second_point == rq.slot[slot].id
    return slot


cdef uint32_t strategy_choose(runqueue *rq, uint32_t enabled) noexcept nogil:
    if rq.early and rq.first_due and draw(rq, rq.early) == 0:
        return nth(rq.first_due, draw(rq, bits_set64(rq.first_due)))
    if rq.strategy == STRATEGY_RANDOM:
        return nth(enabled, draw(rq, bits_set64(enabled)))
    if rq.strategy == STRATEGY_PCT:
        return pct(rq, enabled)
    if rq.strategy == STRATEGY_POS:
        return pos(rq, enabled)
    if rq.strategy == STRATEGY_URW:
        return urw(rq, enabled)
    if rq.strategy == STRATEGY_LOOSE:
        return loose(rq, enabled)
    if rq.strategy == STRATEGY_TREE:
        return tree_choose(rq, enabled)
    if rq.strategy == STRATEGY_ORDERED:
        return ordered(rq, enabled)
    if rq.strategy == STRATEGY_PATH and rq.steps < rq.path_steps and rq.path:
        return (<uint8_t *>(<char *>rq + rq.path))[rq.steps]
    return first(rq, enabled)


cdef void strategy_learn(runqueue *rq) noexcept nogil:
    """Learn from a complete schedule."""
    cdef uint32_t i
    rq.length = rq.steps
    for i in range(slots_of(rq)):
        rq.slot[i].expected = rq.slot[i].taken


cdef void strategy_forget(runqueue *rq) noexcept nogil:
    """Drop what earlier schedules taught."""
    cdef uint32_t i
    rq.length = 0
    for i in range(RQ_SLOTS):
        rq.slot[i].expected = 0
