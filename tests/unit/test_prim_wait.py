"""The eventcount: no lost wake-up, correct marks, timeouts that hold."""

from __future__ import annotations

import time

import pytest

from tests.probes.crew import SIZES
from tests.probes.locks import EventCount
from tests.support.board import Board
from tests.support.children import Children, run_together

ETIMEDOUT = -110
SECOND = 1_000_000_000


def _ec(board: Board) -> EventCount:
    return EventCount(board.crew, board.take(SIZES["eventcount"]))


def test_marks() -> None:
    board = Board()
    ec = _ec(board)
    assert ec.notify() == 0
    key = ec.prepare()
    assert ec.waiters == 1
    ec.cancel(key)
    assert ec.waiters == 0
    key = ec.prepare()
    assert ec.notify() == 1
    assert ec.waiters == 0
    assert (
        ec.sleep(key, 10 * SECOND) == 0
    )  # notified between preparing and sleeping: does not sleep
    ec.cancel(key)  # too late, removes no other mark
    assert ec.word >> 32 == 0


def test_a_late_cancel_keeps_the_marks_of_others() -> None:
    board = Board()
    ec = _ec(board)
    first = ec.prepare()
    assert ec.notify() == 1
    second = ec.prepare()
    assert first != second
    ec.cancel(first)
    assert ec.waiters == 1
    assert ec.notify() == 1


def test_a_sleep_ends_at_its_bound_and_is_counted() -> None:
    board = Board()
    ec = _ec(board)
    assert ec.sleep(ec.prepare(), 1_000_000) == ETIMEDOUT
    assert ec.waiters == 0
    actor = board.crew.actor(0)
    assert (actor["sleeps"], actor["wait_timeouts"], actor["wait_site"]) == (1, 1, 0)


def test_notify_wakes_the_given_number() -> None:
    """Three sleep; one notification of one, one of all. The others stay asleep."""
    board = Board()
    ec = _ec(board)

    def sleep(slot: int) -> int:
        mine = EventCount(board.as_slot(slot), ec.offset)
        return mine.sleep(mine.prepare(), 20 * SECOND)

    with Children(report=board.report) as children:
        members = [children.start(sleep, slot) for slot in (1, 2, 3)]
        until = time.monotonic() + 10.0
        while sum(board.crew.actor(slot)["sleeps"] for slot in (1, 2, 3)) < 3:
            assert time.monotonic() < until
        assert ec.waiters == 3
        assert ec.notify(1) == 1
        assert ec.waiters == 2
        assert ec.notify() == 2
        assert children.results() == [0, 0, 0]
        assert len(members) == 3


def test_a_killed_waiter_costs_one_mark_and_nothing_else() -> None:
    board = Board()
    ec = _ec(board)

    def sleep(slot: int, bound_ns: int) -> int:
        mine = EventCount(board.as_slot(slot), ec.offset)
        return mine.sleep(mine.prepare(), bound_ns)

    def await_sleeps(slot: int) -> None:
        until = time.monotonic() + 10.0
        while not board.crew.actor(slot)["sleeps"]:
            assert time.monotonic() < until

    with Children(report=board.report) as children:
        victim = children.start(sleep, 1, 60 * SECOND)
        await_sleeps(1)
        victim.kill()
        assert ec.waiters == 1
        children.start(sleep, 2, 20 * SECOND)
        await_sleeps(2)
        assert ec.notify() == 2
        assert children.results() == [0]
    assert ec.waiters == 0


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("parties", [2, 3])
def test_turns_rotate_without_a_lost_wake_up(parties: int, noise: int) -> None:
    """Each waits on its own word and wakes the next. A lost wake-up shows as a sleep that timed out."""
    board = Board()
    words = [_ec(board) for _ in range(parties)]
    turn = board.take(8)
    rounds = 400 if noise else 4000

    def take_turns(me: int) -> int:
        crew = board.as_slot(me + 1)
        if noise:
            crew.noise(noise, noise * 10, seed=me + 1)
        mine, following = (EventCount(crew, words[i % parties].offset) for i in (me, me + 1))
        return mine.take_turns(turn, following, me, parties, rounds)

    lost = run_together(
        *[lambda me=me: take_turns(me) for me in range(parties)], report=board.report
    )
    assert lost == [0] * parties
    assert board.memory.read_u64(turn) == rounds * parties
