# SPDX-License-Identifier: MIT
"""Two actors in the same operation, interleaved at every instruction.

One is stopped after k instructions, the other runs from start to end, the first continues. This covers every place at which the
second can interfere; a race that needs a window of a few nanoseconds is found each time, not once in many runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from iopf.cython_ext.crew import VerdictKind

from tests.probes.crew import SIZES, Crew
from tests.probes.pool import Pool
from tests.probes.victim import Step, step
from tests.support.board import Board
from tests.support.tracing import Victim, why_not

STEPPED, OTHER = 1, 2
ARMED_DONE = 2
MOST_STEPS = 5000
LEAST_POINTS = 15


@pytest.fixture(scope="module", autouse=True)
def _stepping() -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)


def _interleave(
    board: Board, k: int, stepped: Callable[[int], None], other: Callable[[], None]
) -> bool:
    """Run ``other`` after ``k`` instructions of ``stepped``; false if that had finished before."""
    armed = board.take(64)
    victim = Victim(lambda: stepped(armed))
    came = False
    try:
        for n in range(MOST_STEPS):
            if n == k:
                other()
                came = True
            victim.step()
            if board.memory.read_u32(armed) == ARMED_DONE:
                return came
    finally:
        victim.kill()
    raise TimeoutError(f"not over after {MOST_STEPS} instructions")


def test_both_halves_of_abba_at_once() -> None:
    """Opposite edges recorded by two actors at the same time: at least one of them sees that they close a cycle."""
    k, inside = 0, True
    missed = []
    while inside:
        board = Board(4, 1 << 14)
        first, second = board.as_slot(STEPPED), board.as_slot(OTHER)
        first.lockdep_acquire(10)
        second.lockdep_acquire(11)
        inside = _interleave(
            board,
            k,
            partial(_step, first, Step.STEP_LOCKDEP, 0, 11),
            partial(second.lockdep_acquire, 10),
        )
        told = [verdict["kind"] for verdict in board.crew.verdicts()]
        if inside and VerdictKind.VERDICT_LOCK_ORDER not in told:
            missed.append(k)
        k += 1
    assert missed == [], f"{len(missed)} of {k} places"
    assert k >= LEAST_POINTS


def test_two_allocations_meet_on_the_one_that_is_to_fail() -> None:
    """Exactly one of the two fails, and the injection ends."""
    k, inside = 0, True
    wrong = []
    while inside:
        board = Board(4, 1 << 14)
        pool = Pool(board.crew, board.take(SIZES["pool"] + 16 * 64), capacity=16, stride=64)
        pool.fail_nth = 1
        crew = board.as_slot(STEPPED)
        inside = _interleave(
            board,
            k,
            partial(_step, crew, Step.STEP_POOL_ALLOC, pool.offset, 0),
            partial(_allocate, board, pool.offset),
        )
        fails = [pool.magazine_counts(slot)["fails"] for slot in (STEPPED, OTHER)]
        if inside and (sum(fails) != 1 or pool.fail_nth != 0):
            wrong.append((k, fails, pool.fail_nth))
        k += 1
    assert wrong == [], f"{len(wrong)} of {k} places"
    assert k >= LEAST_POINTS


def _step(crew: Crew, what: Step, at: int, arg: int, armed: int) -> None:
    step(crew, what, armed, at, at, arg)


def _allocate(board: Board, at: int) -> None:
    Pool(board.as_slot(OTHER), at).alloc()
