# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The strategies. What they do and where their state lies stands in ``strategies.pxd``."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.runqueue cimport *
from iopf.emulator.sched.tree cimport steps_depend, tree_choose

cdef enum:
    NOBODY = 0
    CHANGES = 15             # PCT: most change points
    BUDGET = 0x7FFFFFFF


cdef inline uint64_t mix(uint64_t x) noexcept nogil:
    """splitmix64: seeds that differ by one give streams that share nothing."""
    x += <uint64_t>0x9E3779B97F4A7C15
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


cdef inline uint32_t draw(stage *st, uint32_t n) noexcept nogil:
    """0 .. n - 1."""
    return <uint32_t>(((xorshift64(&st.rng) >> 32) * n) >> 32)


cdef void sort_changes(stage *st, uint32_t n) noexcept nogil:
    cdef uint32_t i, j
    cdef uint64_t x
    for i in range(1, n):
        x = st.change[i]
        j = i
        while j > 0 and st.change[j - 1] > x:
            st.change[j] = st.change[j - 1]
            j -= 1
        st.change[j] = x


cdef inline uint32_t players(stage *st) noexcept nogil:
    """Actors, and those who drain their buffers."""
    return st.players if st.memory == STAGE_SC else STAGE_SLOTS


cdef void strategy_begin(stage *st, uint32_t strategy, uint32_t depth, uint64_t seed) noexcept nogil:
    """Before the first step of a schedule. ``length`` and ``expected`` are what the last one has taught."""
    cdef uint32_t i, n
    st.strategy = strategy
    st.depth = depth
    st.rng = mix(seed) or 1
    st.current = NOBODY
    st.path_at = 0
    if strategy == STRATEGY_POS or strategy == STRATEGY_PCT:
        for i in range(players(st)):
            st.slot[i].priority = (xorshift64(&st.rng) >> 8) + CHANGES + 1
    if strategy == STRATEGY_PCT:
        n = depth - 1 if 0 < depth <= CHANGES else CHANGES
        for i in range(n):
            st.change[i] = 1 + draw(st, <uint32_t>st.length if st.length else 64)
        sort_changes(st, n)
        st.change[n] = <uint64_t>-1


cdef uint32_t nth(uint32_t mask, uint32_t n) noexcept nogil:
    """The n-th set bit, from 0."""
    while n:
        mask &= mask - 1
        n -= 1
    return trailing_zeros64(mask)


cdef uint32_t highest(stage *st, uint32_t enabled) noexcept nogil:
    cdef uint32_t best = NOBODY, i
    cdef uint64_t priority = 0
    while enabled:
        i = trailing_zeros64(enabled)
        enabled &= enabled - 1
        if best == NOBODY or st.slot[i].priority > priority:
            best = i
            priority = st.slot[i].priority
    return best


cdef uint32_t first(stage *st, uint32_t enabled) noexcept nogil:
    return st.current if enabled >> st.current & 1 else <uint32_t>trailing_zeros64(enabled)


cdef uint32_t pct(stage *st, uint32_t enabled) noexcept nogil:
    """The change points are counted off from the end of ``change``, whose first entry is the next one."""
    cdef uint32_t best, i, n = 0
    while st.steps >= st.change[0]:
        if st.current != NOBODY:
            # The later the change, the lower: below everything drawn at the start.
            n = st.depth
            st.slot[st.current].priority = n
            st.depth -= 1
        for i in range(CHANGES):
            st.change[i] = st.change[i + 1]
        st.change[CHANGES] = <uint64_t>-1
    best = highest(st, enabled)
    st.budget = st.change[0] - st.steps - 1 if st.change[0] - st.steps < BUDGET else BUDGET
    if st.steps + st.budget >= st.max_steps or (st.early and st.first_due):
        st.budget = 0
    return best


cdef inline bint dependent(stage_slot *a, stage_slot *b) noexcept nogil:
    """Whether the order of two pending steps can matter: the same word, and not two reads."""
    return steps_depend(a.where, a.kind, b.where, b.kind)


cdef uint32_t pos(stage *st, uint32_t enabled) noexcept nogil:
    cdef uint32_t best = highest(st, enabled), i, rest = st.ready | st.buffered | <uint32_t>1 << best
    while rest:
        i = trailing_zeros64(rest)
        rest &= rest - 1
        if i == best or dependent(&st.slot[i], &st.slot[best]):
            st.slot[i].priority = (xorshift64(&st.rng) >> 8) + 1
    return best


cdef uint32_t urw(stage *st, uint32_t enabled) noexcept nogil:
    cdef uint64_t sum = 0, pick
    cdef uint64_t upto[32]
    cdef uint32_t n = 0, rest = enabled
    cdef stage_slot *s
    while rest:
        s = &st.slot[trailing_zeros64(rest)]
        rest &= rest - 1
        sum += s.expected - s.taken if s.expected > s.taken else 1
        upto[n] = sum
        n += 1
    pick = draw(st, <uint32_t>sum)
    n = 0
    while pick >= upto[n]:
        n += 1
    return nth(enabled, n)


cdef uint32_t loose(stage *st, uint32_t enabled) noexcept nogil:
    cdef uint8_t *path = <uint8_t *>(<char *>st + st.path)
    while st.path_at < st.path_steps:
        st.path_at += 1
        if (enabled | st.first_due) >> path[st.path_at - 1] & 1:
            return path[st.path_at - 1]
    return first(st, enabled)


cdef bint has_to_wait(stage *st, ordering *table, uint32_t slot) noexcept nogil:
    cdef ordering *o
    cdef uint64_t i
    for i in range(st.path_steps):
        o = &table[i]
        if (o.second_slot == slot and o.second_point == st.slot[slot].id and o.second_been + 1 == o.second_number
                and o.first_been < o.first_number):
            return True
    return False


cdef uint32_t ordered(stage *st, uint32_t enabled) noexcept nogil:
    """``path_steps`` orderings stand in the place of the path; ``depth`` counts the steps at which all had to wait."""
    cdef ordering *table = <ordering *>(<char *>st + st.path)
    cdef uint32_t rest = enabled, free = 0, i, slot
    cdef uint64_t at
    while rest:
        i = trailing_zeros64(rest)
        rest &= rest - 1
        if not has_to_wait(st, table, i):
            free |= <uint32_t>1 << i
    st.depth += free == 0
    slot = first(st, free if free else enabled)
    for at in range(st.path_steps):
        table[at].first_been += table[at].first_slot == slot and table[at].first_point == st.slot[slot].id
        table[at].second_been += table[at].second_slot == slot and table[at].second_point == st.slot[slot].id
    return slot


cdef uint32_t strategy_choose(stage *st, uint32_t enabled) noexcept nogil:
    if st.early and st.first_due and draw(st, st.early) == 0:
        return nth(st.first_due, draw(st, bits_set64(st.first_due)))
    if st.strategy == STRATEGY_RANDOM:
        return nth(enabled, draw(st, bits_set64(enabled)))
    if st.strategy == STRATEGY_PCT:
        return pct(st, enabled)
    if st.strategy == STRATEGY_POS:
        return pos(st, enabled)
    if st.strategy == STRATEGY_URW:
        return urw(st, enabled)
    if st.strategy == STRATEGY_LOOSE:
        return loose(st, enabled)
    if st.strategy == STRATEGY_TREE:
        return tree_choose(st, enabled)
    if st.strategy == STRATEGY_ORDERED:
        return ordered(st, enabled)
    if st.strategy == STRATEGY_PATH and st.steps < st.path_steps and st.path:
        return (<uint8_t *>(<char *>st + st.path))[st.steps]
    return first(st, enabled)


cdef void strategy_learn(stage *st) noexcept nogil:
    """After a schedule that came to its end."""
    cdef uint32_t i
    st.length = st.steps
    for i in range(players(st)):
        st.slot[i].expected = st.slot[i].taken


cdef void strategy_forget(stage *st) noexcept nogil:
    """What the last schedules have taught."""
    cdef uint32_t i
    st.length = 0
    for i in range(STAGE_SLOTS):
        st.slot[i].expected = 0
