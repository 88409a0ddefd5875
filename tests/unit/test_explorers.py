# SPDX-License-Identifier: MIT
"""The explorers on small programs: required and forbidden outcomes, and that the walk explores each behaviour once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iopf.emulator.sched.strategies import Strategy
from iopf.emulator.sched.tree import Walk

from tests.probes.litmus import Litmus

Operation = tuple[str, int, int]
Trace = list[tuple[int, int, int]]
READ = 1
LOCAL = (0, 8, 9)  # kinds without an access
EVERYTHING = 1000  # preemptions: more than these programs can have

STORE_BUFFERING: list[list[Operation]] = [
    [("st", 0, 1), ("ld", 1, 0)],
    [("st", 1, 1), ("ld", 0, 0)],
]
FENCED: list[list[Operation]] = [
    [("st", 0, 1), ("fence", 0, 0), ("ld", 1, 0)],
    [("st", 1, 1), ("fence", 0, 0), ("ld", 0, 0)],
]
LOCKED: list[list[Operation]] = [
    [("st", 0, 1), ("add", 7, 1), ("ld", 1, 0)],
    [("st", 1, 1), ("add", 7, 1), ("ld", 0, 0)],
]
MESSAGE: list[list[Operation]] = [
    [("st", 0, 5), ("st", 1, 1)],
    [("ld", 1, 0), ("ld", 0, 1)],
]
OWN_STORE: list[list[Operation]] = [
    [("st", 0, 1), ("ld", 0, 0), ("st", 0, 2), ("ld", 0, 1)],
    [("ld", 0, 0)],
]
CROSSED: list[list[Operation]] = [
    [("lock", 0, 0), ("lock", 1, 0), ("unlock", 1, 0), ("unlock", 0, 0)],
    [("lock", 1, 0), ("lock", 0, 0), ("unlock", 0, 0), ("unlock", 1, 0)],
]
RANDOM = int(Strategy.STRATEGY_RANDOM)
ALL_RANDOM = [
    (RANDOM, 0),
    (int(Strategy.STRATEGY_PCT), 3),
    (int(Strategy.STRATEGY_POS), 0),
    (int(Strategy.STRATEGY_URW), 0),
]


def registers(outcome: tuple[int, ...] | None, actor: int) -> tuple[int, ...]:
    assert outcome is not None
    return outcome[8 + 4 * actor : 12 + 4 * actor]


def both_zero(outcomes: set[tuple[int, ...] | None]) -> bool:
    return any(registers(o, 0)[0] == 0 and registers(o, 1)[0] == 0 for o in outcomes)


@pytest.mark.parametrize(("strategy", "depth"), ALL_RANDOM)
def test_stores_are_delayed_under_tso_and_only_there(strategy: int, depth: int) -> None:
    litmus = Litmus(STORE_BUFFERING)
    assert both_zero(litmus.play(strategy, depth, 1, 2000, True))
    assert not both_zero(litmus.play(strategy, depth, 1, 2000, False))
    assert not both_zero({outcome for outcome, _ in litmus.walk()})


@pytest.mark.parametrize("programs", [FENCED, LOCKED], ids=["fence", "locked instruction"])
def test_a_fence_and_a_locked_instruction_drain_the_stores(programs: list[list[Operation]]) -> None:
    for strategy, depth in ALL_RANDOM:
        assert not both_zero(Litmus(programs).play(strategy, depth, 1, 3000, True))


def test_stores_reach_memory_in_their_order() -> None:
    for strategy, depth in ALL_RANDOM:
        for outcome in Litmus(MESSAGE).play(strategy, depth, 1, 3000, True):
            seen = registers(outcome, 1)
            assert seen[0] == 0 or seen[1] == 5


def test_an_actor_sees_its_own_stores_at_once() -> None:
    outcomes = Litmus(OWN_STORE).play(RANDOM, 0, 1, 3000, True)
    assert {registers(outcome, 0)[:2] for outcome in outcomes} == {(1, 2)}
    assert {registers(outcome, 1)[0] for outcome in outcomes} == {0, 1, 2}
    assert {outcome[0] for outcome in outcomes if outcome is not None} == {2}


def test_the_walk_finds_the_deadlock_of_two_locks() -> None:
    outcomes = [outcome for outcome, _ in Litmus(CROSSED).walk()]
    assert None in outcomes
    assert any(outcome is not None for outcome in outcomes)


def depend(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    if a[0] == b[0]:
        return True
    if a[2] in LOCAL or b[2] in LOCAL:
        return False
    return a[1] == b[1] and not (a[2] == READ and b[2] == READ)


def normal_form(trace: Trace) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    """Foata normal form: equal for schedules that differ only in the order of independent steps."""
    levels: list[list[tuple[int, int, int]]] = []
    for step in trace:
        at = len(levels)
        while at > 0 and not any(depend(step, other) for other in levels[at - 1]):
            at -= 1
        if at == len(levels):
            levels.append([])
        levels[at].append(step)
    return tuple(tuple(sorted(level)) for level in levels)


operation = st.one_of(
    st.tuples(st.just("ld"), st.integers(0, 1), st.integers(0, 1)),
    st.tuples(st.just("st"), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("add"), st.integers(0, 1), st.integers(0, 1)),
)
section = st.lists(operation, min_size=1, max_size=2).map(
    lambda body: [("lock", 2, 0), *body, ("unlock", 2, 0)]
)
program = st.lists(
    st.one_of(operation.map(lambda one: [one]), section), min_size=1, max_size=2
).map(lambda parts: [one for part in parts for one in part])


@settings(max_examples=150, deadline=None)
@given(st.lists(program, min_size=2, max_size=3).filter(lambda p: sum(map(len, p)) <= 10))
def test_the_walk_explores_every_behaviour_once(programs: list[list[Operation]]) -> None:
    litmus = Litmus(programs)
    every = litmus.walk(Walk.WALK_PREEMPTIONS, EVERYTHING, 300_000)
    reduced = litmus.walk()
    classes = {normal_form(trace) for _, trace in every}
    seen = [normal_form(trace) for _, trace in reduced]
    assert set(seen) == classes
    assert len(seen) == len(set(seen))
    assert {outcome for outcome, _ in reduced} == {outcome for outcome, _ in every}


@settings(max_examples=60, deadline=None)
@given(st.lists(program, min_size=2, max_size=3).filter(lambda p: sum(map(len, p)) <= 10))
def test_a_random_outcome_is_in_the_walk(programs: list[list[Operation]]) -> None:
    litmus = Litmus(programs)
    everything = {outcome for outcome, _ in litmus.walk()}
    for strategy, depth in ALL_RANDOM:
        assert litmus.play(strategy, depth, 3, 100, False) <= everything


def test_a_bound_on_preemptions_bounds_them() -> None:
    litmus = Litmus([[("add", 0, 0)] * 3, [("add", 0, 0)] * 3])
    sizes = [len(litmus.walk(Walk.WALK_PREEMPTIONS, bound)) for bound in range(8)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 2
    assert sizes[-1] == sizes[-2] == len(litmus.walk(Walk.WALK_PREEMPTIONS, EVERYTHING))


def test_delays_are_fewer_than_preemptions_and_reach_every_schedule() -> None:
    """Without delays there is one schedule; each delay allows one more deviation; eventually every schedule has run."""
    litmus = Litmus([[("add", 0, 0)] * 3, [("add", 1, 0)] * 3, [("add", 0, 0)] * 2])
    every = {tuple(trace) for _, trace in litmus.walk(Walk.WALK_PREEMPTIONS, EVERYTHING)}
    before: set[tuple[tuple[int, int, int], ...]] = set()
    for bound in range(8):
        delays = [tuple(trace) for _, trace in litmus.walk(Walk.WALK_DELAYS, bound)]
        assert len(delays) == len(set(delays))
        assert before < set(delays) or set(delays) == every
        preemptions = {tuple(t) for _, t in litmus.walk(Walk.WALK_PREEMPTIONS, bound)}
        assert set(delays) <= preemptions
        before = set(delays)
        if bound < 2:
            # Of the steps 4, 4 and 3 each of the first eight can be skipped: at the others only one is left.
            assert len(delays) == (1, 9)[bound]
    assert {tuple(trace) for _, trace in litmus.walk(Walk.WALK_DELAYS, EVERYTHING)} == every


def test_bad_programs_are_refused() -> None:
    with pytest.raises(ValueError, match="one to eight"):
        Litmus([])
    with pytest.raises(ValueError, match="no operation"):
        Litmus([[("jump", 0, 0)]])
    with pytest.raises(ValueError, match="no operation"):
        Litmus([[("ld", 0, 9)]])
