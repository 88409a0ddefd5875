# SPDX-License-Identifier: MIT
"""The eventcount: no lost wake-up, correct marks, timeouts that hold."""

from __future__ import annotations

import time

import pytest

from tests.probes.crew import SIZES
from tests.probes.locks import EventCount
from tests.support.board import Board
from tests.support.children import Children, run_together
from tests.support.speed import slowdown

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
        until = time.monotonic() + 10.0 * slowdown()
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
        until = time.monotonic() + 10.0 * slowdown()
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


# ---- the two ways to wait

UNRUNG = 2**64 - 1


class Waiter:
    """A child that waits at an eventcount for a word, and what its counters say."""

    def __init__(self, *, spins: int = 0) -> None:
        self.board = Board(spins=spins, yields=spins)
        self.ec = _ec(self.board)
        self.word = self.board.take(8)

    def wait(self, want: int = 1, bound_ns: int = 20 * SECOND) -> int:
        return EventCount(self.board.as_slot(1), self.ec.offset).wait_word(
            self.word, want, bound_ns
        )

    def serve(self, want: int = 1, pause_ns: int = 2**64 - 1) -> int:
        return EventCount(self.board.as_slot(1), self.ec.offset).serve_word(
            self.word, want, pause_ns
        )

    def asleep(self, sleeps: int = 1) -> None:
        until = time.monotonic() + 10.0 * slowdown()
        while (
            self.board.crew.actor(1)["sleeps"] < sleeps or not self.board.crew.actor(1)["wait_site"]
        ):
            assert time.monotonic() < until

    @property
    def lost(self) -> int:
        return int(self.board.crew.actor(1)["timeouts_with_work"])


@pytest.mark.parametrize("way", ["wait", "serve"])
@pytest.mark.parametrize("spins", [0, 50])
def test_a_wait_ends_when_its_condition_holds(way: str, spins: int) -> None:
    waiter = Waiter(spins=spins)
    waiter.board.memory.write_u64(waiter.word, 1)
    assert getattr(waiter, way)() == 0  # without a sleep
    waiter.board.memory.write_u64(waiter.word, 0)
    with Children(report=waiter.board.report) as children:
        children.start(getattr(waiter, way))
        waiter.asleep()
        waiter.board.memory.write_u64(waiter.word, 1)
        assert waiter.ec.notify() == 1
        children.results()
    assert (waiter.lost, waiter.ec.waiters) == (0, 0)


def test_a_wait_ends_at_its_bound() -> None:
    waiter = Waiter()
    assert waiter.wait(bound_ns=1_000_000) == ETIMEDOUT
    assert (waiter.lost, waiter.ec.waiters) == (0, 0)


@pytest.mark.parametrize("way", ["wait", "serve"])
def test_a_lost_wake_up_is_counted_once(way: str) -> None:
    waiter = Waiter()
    waiter.board.crew.lose_wakes()
    with Children(report=waiter.board.report) as children:
        children.start(getattr(waiter, way))
        waiter.asleep()
        waiter.board.memory.write_u64(waiter.word, 1)
        assert waiter.ec.notify() == 0
        assert waiter.board.crew.wakes_dropped == 1
        children.results()
    assert (waiter.lost, waiter.ec.waiters) == (1, 0)


@pytest.mark.parametrize("way", ["wait", "serve"])
def test_a_ring_that_comes_late_is_no_lost_wake_up(way: str) -> None:
    """The notifier stands between publishing and ringing while the waiter's bound passes."""
    waiter = Waiter()
    with Children(report=waiter.board.report) as children:
        children.start(getattr(waiter, way))
        waiter.asleep()
        waiter.board.memory.write_u64(waiter.word, 1)
        waiter.asleep(2)  # past its bound, with work there
        assert waiter.ec.notify() == 1
        children.results()
    assert (waiter.lost, waiter.ec.waiters) == (0, 0)


@pytest.mark.parametrize("word", [UNRUNG, 0])
def test_what_no_process_rings_for_is_no_lost_wake_up(word: int) -> None:
    """There without a ring, or gone again when the bound is over: another waiter has taken it."""
    waiter = Waiter()
    with Children(report=waiter.board.report) as children:
        children.start(waiter.serve)
        waiter.asleep()
        waiter.board.memory.write_u64(waiter.word, 1 if word == 0 else word)
        if word == 0:
            waiter.asleep(2)
            waiter.board.memory.write_u64(waiter.word, 0)
            waiter.asleep(3)
            waiter.board.memory.write_u64(waiter.word, 1)
            waiter.ec.notify()
        children.results()
    assert waiter.lost == 0


def test_a_time_of_the_loop_is_no_lost_wake_up() -> None:
    waiter = Waiter()
    waiter.board.crew.lose_wakes()
    with Children(report=waiter.board.report) as children:
        children.start(waiter.serve, 1, 1_000_000)
        waiter.asleep()
        waiter.board.memory.write_u64(waiter.word, 1)
        waiter.ec.notify()
        assert children.results()[0] >= 1
    assert (waiter.lost, waiter.ec.waiters) == (0, 0)
