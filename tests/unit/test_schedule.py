# SPDX-License-Identifier: MIT
"""Schedules as runs of steps: preemptions, and the rules of minimising."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from iopf.emulator.races.schedule import Failure, Step, minimise, preemptions, runs

PATHS = st.binary(max_size=40).map(lambda raw: bytes(1 + b % 4 for b in raw))


@given(PATHS)
def test_runs_are_the_path(path: bytes) -> None:
    found = runs(path)
    assert b"".join(bytes([run.slot]) * run.length for run in found) == path
    assert all(run.length > 0 for run in found)
    assert all(a.slot != b.slot and a.last == b.first for a, b in itertools.pairwise(found))


def steps(path: bytes, enabled: int) -> list[Step]:
    return [(slot, 0, 0, 0, enabled) for slot in path]


@given(PATHS)
def test_a_switch_from_a_runnable_actor_is_a_preemption(path: bytes) -> None:
    assert preemptions(steps(path, 0xFF)) == max(0, len(runs(path)) - 1)
    assert preemptions(steps(path, 0)) == 0


@given(PATHS, st.integers(1, 4), st.integers(1, 4))
def test_minimising_keeps_the_failure_and_never_grows(path: bytes, first: int, then: int) -> None:
    """A toy: it fails when a step of `first` precedes a step of `then`."""

    def replay(candidate: bytes) -> Failure | None:
        at = candidate.find(first)
        if at < 0 or candidate.find(then, at + 1) < 0:
            return None
        return Failure(
            candidate, ("toy",), preemptions(steps(candidate, 0xFF)), len(runs(candidate)) - 1
        )

    failure = replay(path)
    if failure is None:
        return
    short = minimise(failure, replay)
    assert short.cost <= failure.cost
    assert replay(short.path) is not None
    assert short.path == bytes([first, then])


@given(PATHS)
def test_another_failure_is_not_taken_for_the_same(path: bytes) -> None:
    def replay(candidate: bytes) -> Failure | None:
        return Failure(candidate, (len(candidate),), 0, 0)

    failure = Failure(path, (len(path),), 5, 5)
    assert len(minimise(failure, replay).path) == len(path)
