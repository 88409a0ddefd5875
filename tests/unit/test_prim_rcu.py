# SPDX-License-Identifier: MIT
"""RCU and reference counts: a grace period waits for exactly the readers that were inside, misuse is a verdict."""

from __future__ import annotations

import pytest
from iopf.cython_ext.crew import VerdictKind

from tests.probes.crew import meet
from tests.probes.locks import REFCOUNT_SATURATED, Refcount
from tests.probes.pool import Pool
from tests.support.board import Board, await_word
from tests.support.children import Children, run_together


def _details(board: Board) -> list[tuple[int, int, int]]:
    return [(v["kind"], v["actor"], v["detail"]) for v in board.crew.verdicts()]


def test_a_grace_period_waits_for_old_readers_only() -> None:
    board = Board()
    old, new, writer = board.as_slot(1), board.as_slot(2), board.as_slot(3)
    old.rcu_read_lock()
    epoch = writer.rcu_start()
    assert not writer.rcu_passed(epoch)
    new.rcu_read_lock()
    old.rcu_read_unlock()
    assert writer.rcu_passed(epoch)  # the new reader is inside, and not waited for
    assert not writer.rcu_passed(writer.rcu_start())
    new.rcu_read_unlock()
    assert board.crew.verdicts() == []


def test_sections_nest() -> None:
    board = Board()
    reader, writer = board.as_slot(1), board.as_slot(2)
    reader.rcu_read_lock()
    epoch = writer.rcu_start()
    reader.rcu_read_lock()
    reader.rcu_read_unlock()
    assert not writer.rcu_passed(epoch)
    reader.rcu_check_held()
    reader.rcu_read_unlock()
    assert writer.rcu_passed(epoch)
    assert board.crew.verdicts() == []


def _stay_inside(board: Board, word: int) -> None:
    crew = board.as_slot(1)
    crew.rcu_read_lock()
    board.memory.write_u32(word, 1)
    await_word(board.memory, word, 2, 60.0)
    crew.rcu_read_unlock()


def _synchronize(board: Board, word: int) -> int:
    board.as_slot(2).synchronize_rcu()
    return board.memory.read_u32(word)


def test_synchronize_returns_when_the_reader_leaves() -> None:
    board = Board()
    word = board.take(4)
    with Children(report=board.report) as children:
        children.start(_stay_inside, board, word)
        await_word(board.memory, word, 1)
        children.start(_synchronize, board, word)
        _await_waiting(board, 2)
        board.memory.write_u32(word, 2)
        assert children.results() == [None, 2]


def test_a_reader_that_died_inside_is_skipped_once_its_death_is_confirmed() -> None:
    board = Board()
    word = board.take(4)
    with Children(report=board.report) as children:
        reader = children.start(_stay_inside, board, word)
        await_word(board.memory, word, 1)
        reader.kill()
        epoch = board.crew.rcu_start()
        assert not board.crew.rcu_passed(epoch)
        children.start(_synchronize, board, word)
        _await_waiting(board, 2)
        board.crew.mark_dead(1)
        assert children.results() == [1]
    assert board.crew.rcu_passed(epoch)


def _await_waiting(board: Board, slot: int) -> None:
    """Until the actor has checked for readers more often than it spins."""
    for _ in range(10_000_000):
        if board.crew.actor(slot)["heartbeat"] > 120:
            return
    raise TimeoutError("the actor does not wait")


def test_rcu_misuse_is_a_verdict() -> None:
    """Leaving a section that was not entered, using a pointer outside of one, waiting for readers as a reader."""
    board = Board()
    crew = board.as_slot(4)
    crew.rcu_read_unlock()
    crew.rcu_check_held(0x1234)
    crew.rcu_read_lock()
    crew.synchronize_rcu()
    assert _details(board) == [(VerdictKind.VERDICT_RCU, 4, detail) for detail in (1, 2, 3)]
    assert board.crew.verdicts()[1]["object"] == 0x1234


@pytest.mark.parametrize("noise", [0, 4])
def test_an_object_in_a_read_section_is_not_freed(noise: int) -> None:
    """Two writers replace an object as fast as they can; no reader sees it freed, reused or poisoned inside a section."""
    board = Board()
    pool = Pool(board.crew, board.take(8192), capacity=32, stride=64, cls=1, batch=2)
    pointer, stop, start = board.take(8), board.take(4), board.take(4)
    sections = 500 if noise else 5000

    def enter(slot: int) -> Pool:
        crew = board.as_slot(slot)
        if noise:
            crew.noise(noise, noise * 10, seed=slot)
        assert meet(board.memory, start, 4)
        return Pool(crew, pool.offset)

    def write(slot: int) -> tuple[int, int]:
        return enter(slot).publish_loop(pointer, stop, 25_000_000_000)

    def read(slot: int) -> tuple[int, int]:
        result = enter(slot).read_loop(pointer, sections, 25_000_000_000)
        board.memory.write_u32(stop, 1)
        return result

    results = run_together(
        lambda: write(1), lambda: write(2), lambda: read(3), lambda: read(4), report=board.report
    )
    assert all(published and not failed for published, failed in results[:2])
    assert results[2:] == [(sections, 0)] * 2
    assert board.crew.verdicts() == []
    assert pool.live() == 1


def _ref(board: Board, value: int) -> Refcount:
    ref = Refcount(board.crew, board.take(4))
    ref.set(value)
    return ref


def test_the_last_put_is_reported_once() -> None:
    """Four processes take and put around a last reference; the one that reaches zero is told, and none gets it back."""
    board = Board()
    ref = _ref(board, 1)

    def hammer(slot: int) -> int:
        mine = Refcount(board.as_slot(slot), ref.offset)
        last = mine.hammer(20000)
        if slot == 1:
            last += mine.put()
        return last + mine.hammer(20000)

    assert sum(run_together(*[lambda s=s: hammer(s) for s in range(1, 5)])) == 1
    assert ref.value == 0
    assert not ref.get_not_zero()
    assert board.crew.verdicts() == []


def test_refcount_misuse_is_a_verdict_and_saturates() -> None:
    board = Board()
    ref = _ref(board, 0)
    assert not ref.put()
    ref.get()
    assert ref.value == 0
    assert _details(board) == [
        (VerdictKind.VERDICT_REFCOUNT, 0, 3),
        (VerdictKind.VERDICT_REFCOUNT, 0, 2),
    ]
    board.crew.clear_verdicts()
    ref = _ref(board, REFCOUNT_SATURATED - 1)
    for _ in range(3):
        ref.get()
    assert ref.value == REFCOUNT_SATURATED
    assert [ref.put() for _ in range(3)] == [False] * 3
    assert ref.value == REFCOUNT_SATURATED
    assert _details(board) == [(VerdictKind.VERDICT_REFCOUNT, 0, 1)]
