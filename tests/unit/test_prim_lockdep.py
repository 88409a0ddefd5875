# SPDX-License-Identifier: MIT
"""The graph of lock classes: possible deadlocks are reported from the order alone."""

from __future__ import annotations

import pytest
from iopf.cython_ext.crew import VerdictKind

from tests.probes.crew import SIZES, Crew
from tests.probes.locks import Mutex, RwLock
from tests.probes.work import WorkRing
from tests.support.board import Board
from tests.support.children import run_together


def _mutexes(board: Board, classes: list[int]) -> list[Mutex]:
    return [Mutex(board.crew, board.take(SIZES["mutex"]), cls=cls) for cls in classes]


def _kinds(crew: Crew) -> list[int]:
    return [verdict["kind"] for verdict in crew.verdicts()]


def test_the_same_order_twice_is_no_verdict() -> None:
    board = Board()
    a, b, c = _mutexes(board, [1, 2, 3])
    for _ in range(2):
        for mutex in (a, b, c):
            mutex.lock()
        for mutex in (b, a, c):  # the order of releases does not matter
            mutex.unlock()
    assert board.crew.lock_order() == {(1, 2), (1, 3), (2, 3)}
    assert board.crew.actor(0)["held_count"] == 0
    assert board.crew.verdicts() == []


def test_abba_in_one_process_is_a_verdict() -> None:
    board = Board()
    a, b = _mutexes(board, [4, 5])
    a.lock()
    b.lock()
    b.unlock()
    a.unlock()
    assert board.crew.verdicts() == []
    b.lock()
    a.lock()
    (verdict,) = board.crew.verdicts()
    assert (verdict["kind"], verdict["cls"], verdict["object"]) == (
        VerdictKind.VERDICT_LOCK_ORDER,
        4,
        5,
    )
    a.unlock()
    b.unlock()


def test_a_cycle_through_three_classes_and_two_processes_is_a_verdict() -> None:
    """One process has taken 1 then 2, another 2 then 3; a third taking 3 then 1 closes the cycle."""
    board = Board()
    a, b, c = _mutexes(board, [1, 2, 3])

    def take(slot: int, first: Mutex, second: Mutex) -> None:
        crew = board.as_slot(slot)
        one, two = Mutex(crew, first.offset), Mutex(crew, second.offset)
        one.lock()
        two.lock()
        two.unlock()
        one.unlock()

    run_together(lambda: take(1, a, b))
    run_together(lambda: take(2, b, c))
    assert board.crew.verdicts() == []
    run_together(lambda: take(3, c, a))
    (verdict,) = board.crew.verdicts()
    assert (verdict["kind"], verdict["actor"]) == (VerdictKind.VERDICT_LOCK_ORDER, 3)


def test_two_locks_of_one_class_are_recursion() -> None:
    board = Board()
    a, b = _mutexes(board, [6, 6])
    a.lock()
    b.lock()
    assert _kinds(board.crew) == [VerdictKind.VERDICT_RECURSION]


def test_a_lock_taken_for_reading_counts_too() -> None:
    board = Board()
    (a,) = _mutexes(board, [1])
    lock = RwLock(board.crew, board.take(SIZES["rwlock"]), cls=2)
    a.lock()
    lock.read_lock()
    lock.read_unlock()
    a.unlock()
    lock.write_lock()
    a.lock()
    assert _kinds(board.crew) == [VerdictKind.VERDICT_LOCK_ORDER]


@pytest.mark.parametrize("flush_first", [True, False])
def test_flushing_under_a_lock_that_the_work_takes_is_a_verdict(flush_first: bool) -> None:
    """The wait for the workqueue is an edge like a lock: whichever comes second closes the cycle."""
    board = Board()
    (lock,) = _mutexes(board, [1])
    ring = WorkRing(board.crew, board.take(4096), count=8, cls=2)

    def flush() -> None:
        lock.lock()
        assert ring.flush(1_000_000_000) == 0
        lock.unlock()

    def work() -> None:
        board.crew.lockdep_acquire(2)
        lock.lock()
        lock.unlock()
        board.crew.lockdep_release(2)

    for part in (flush, work) if flush_first else (work, flush):
        assert board.crew.verdicts() == []
        part()
    assert _kinds(board.crew) == [VerdictKind.VERDICT_LOCK_ORDER]


def test_without_the_knob_nothing_is_recorded() -> None:
    board = Board()
    board.crew.policy(lockdep=False)
    a, b = _mutexes(board, [1, 2])
    a.lock()
    b.lock()
    b.unlock()
    a.unlock()
    b.lock()
    a.lock()
    assert board.crew.lock_order() == set()
    assert board.crew.verdicts() == []


def test_more_locks_than_an_actor_can_record() -> None:
    """Beyond eight the classes are not recorded; releases are handled in any order all the same."""
    board = Board()
    for cls in range(10):
        board.crew.lockdep_acquire(cls)
    for cls in (3, 8, 0, 9, 1, 2, 4, 5, 6):
        board.crew.lockdep_release(cls)
    assert board.crew.actor(0)["held_count"] == 1
    board.crew.forget_lock_order()
    board.crew.lockdep_acquire(20)
    assert board.crew.lock_order() == {(7, 20)}
    board.crew.lockdep_release(20)
    board.crew.lockdep_release(7)
    board.crew.lockdep_acquire(21)
    assert board.crew.lock_order() == {(7, 20)}
    assert board.crew.verdicts() == []


def test_beyond_eight_a_lock_released_first_is_forgotten() -> None:
    board = Board()
    for cls in range(9):
        board.crew.lockdep_acquire(cls)
    board.crew.lockdep_release(7)
    board.crew.forget_lock_order()
    board.crew.lockdep_acquire(20)
    assert board.crew.lock_order() == {(held, 20) for held in range(7)}


def test_releasing_an_unheld_lock_keeps_the_others() -> None:
    board = Board()
    board.crew.lockdep_acquire(1)
    board.crew.lockdep_release(2)
    board.crew.lockdep_acquire(3)
    assert board.crew.lock_order() == {(1, 3)}
