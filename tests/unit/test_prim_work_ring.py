# SPDX-License-Identifier: MIT
"""The work ring: each item once, flush waits for exactly the items queued before it, dead actors are repaired, no lost wake-up."""

from __future__ import annotations

import time

import pytest
from iopf.cython_ext.crew import VerdictKind

from tests.probes.crew import SIZES
from tests.probes.work import WorkRing
from tests.support.board import Board, await_word
from tests.support.children import Children, run_together
from tests.support.speed import slowdown

RESERVED, TAKEN, DONE = 1, 3, 4
SECOND = 1_000_000_000


def _ring(board: Board, count: int = 8) -> WorkRing:
    return WorkRing(
        board.crew, board.take(SIZES["work_ring"] + count * SIZES["work_slot"]), count=count, cls=3
    )


@pytest.mark.parametrize("sparing", [False, True])
@pytest.mark.parametrize("noise", [0, 4])
@pytest.mark.parametrize(
    ("producers", "consumers", "count"), [(1, 1, 2), (3, 3, 4), (4, 2, 64), (2, 4, 16)]
)
def test_each_item_once(
    producers: int, consumers: int, count: int, noise: int, sparing: bool
) -> None:
    """Complete payloads, each exactly once, each consumer in order of arrival, and no lost wake-up: whether producers ring for every item
    or only without searchers."""
    board = Board(12, spins=5, yields=2)
    ring = _ring(board, count)
    each = 500 if noise else 4000
    total = producers * each
    seen, taken = board.take(total * 4), board.take(8)

    def enter(slot: int) -> WorkRing:
        crew = board.as_slot(slot)
        if noise:
            crew.noise(noise, noise * 20, seed=slot)
        return WorkRing(crew, ring.offset)

    def produce(n: int) -> int:
        return enter(1 + n).produce(n * each, each, 25 * SECOND, sparing=sparing)

    def consume(n: int) -> tuple[int, int, int]:
        return enter(6 + n).consume(seen, total, taken, 25 * SECOND, sparing=sparing)

    with Children(report=board.report) as children:
        for n in range(consumers):
            children.start(consume, n)
        for n in range(producers):
            children.start(produce, n)
        results = children.results()
    assert results[consumers:] == [each] * producers
    assert sum(mine for mine, _, _ in results[:consumers]) == total
    assert all(broken == disorder == 0 for _, broken, disorder in results[:consumers])
    assert board.memory.read_bytes(seen, total * 4) == b"\1\0\0\0" * total
    assert ring.flush(SECOND) == 0
    assert ring.state()["lost"] == ring.state()["searching"] == 0
    assert sum(board.crew.actor(slot)["timeouts_with_work"] for slot in range(12)) == 0
    assert board.crew.verdicts() == []


def test_full_ring_is_busy_until_the_oldest_is_done() -> None:
    board = Board()
    ring = _ring(board, 4)
    assert [ring.push([n]) for n in range(5)] == [0, 0, 0, 0, -16]
    items = [ring.pop() for _ in range(4)]
    positions = [item[0] for item in items if item]
    assert ring.pop() is None
    assert ring.push([9]) == -16  # taken, but not yet done
    for position in positions[1:]:
        ring.done(position)
        assert ring.push([9]) == -16  # slots are freed in order
    ring.done(positions[0])
    assert [ring.push([9]) for _ in range(5)] == [0, 0, 0, 0, -16]


def test_a_full_ring_with_everything_taken_offers_no_work() -> None:
    """A consumer that checks before it sleeps must not see work that does not exist: it would spin instead of sleeping."""
    board = Board()
    ring = _ring(board, 2)
    assert not ring.waiting
    for n in range(2):
        ring.push([n])
    assert ring.waiting
    positions = [item[0] for _ in range(2) if (item := ring.pop())]
    assert not ring.waiting
    assert ring.sleep_until_work(1_000_000) == -110
    for position in reversed(positions):
        ring.done(position)
    assert not ring.waiting


def _flush(
    board: Board, ring: WorkRing, slot: int, started: int, timeout_ns: int = 20 * SECOND
) -> int:
    board.memory.write_u32(started, 1)
    return WorkRing(board.as_slot(slot), ring.offset).flush(timeout_ns)


def test_flush_waits_for_earlier_items_only() -> None:
    """The item pushed after the flush began is never done, and the flush returns all the same."""
    board = Board(spins=0, yields=0)
    ring = _ring(board)
    started = board.take(4)
    ring.push([1])
    ring.push([2])
    one = ring.pop()
    two = ring.pop()
    assert one
    assert two
    with Children(report=board.report) as children:
        child = children.start(_flush, board, ring, 1, started)
        _await_flusher(ring)
        _await_sleep(board, 1)
        ring.push([3])
        later = ring.pop()
        assert later
        ring.done(two[0])
        _await_sleep(board, 1, after=board.crew.actor(1)["sleeps"])
        assert not child.collect(time.monotonic())
        ring.done(one[0])
        assert children.results() == [0]
    assert ring.slot(later[0]) == (later[0], 1, TAKEN)


def _await_flusher(ring: WorkRing) -> None:
    until = time.monotonic() + 10.0 * slowdown()
    while not ring.state()["flushers"]:
        assert time.monotonic() < until


def _await_sleep(board: Board, slot: int, after: int = 0) -> None:
    until = time.monotonic() + 10.0 * slowdown()
    while board.crew.actor(slot)["sleeps"] <= after:
        assert time.monotonic() < until


def test_flush_has_a_bound_and_leaves_no_trace() -> None:
    board = Board()
    ring = _ring(board)
    ring.push([1])
    assert ring.flush(1_000_000) == -110
    assert ring.state()["flushers"] == 0
    assert board.crew.actor(0)["held_count"] == 0


def test_many_flushes_against_producers_and_consumers() -> None:
    """A flusher queues an item and flushes: afterwards that item has been done, every time."""
    board = Board(12, spins=5, yields=2)
    ring = _ring(board, 16)
    each, rounds = 3000, 300
    total = 2 * each + rounds
    seen, taken = board.take(total * 4), board.take(8)

    def flush() -> int:
        mine, late = WorkRing(board.as_slot(9), ring.offset), 0
        for n in range(rounds):
            assert mine.produce(2 * each + n, 1, 20 * SECOND) == 1
            assert mine.flush(20 * SECOND) == 0
            late += board.memory.read_u32(seen + 4 * (2 * each + n)) != 1
        return late

    def consume(slot: int) -> tuple[int, int, int]:
        return WorkRing(board.as_slot(slot), ring.offset).consume(seen, total, taken, 25 * SECOND)

    def produce(slot: int) -> int:
        return WorkRing(board.as_slot(slot), ring.offset).produce(
            (slot - 1) * each, each, 25 * SECOND
        )

    results = run_together(
        flush,
        lambda: consume(5),
        lambda: consume(6),
        lambda: produce(1),
        lambda: produce(2),
        report=board.report,
    )
    assert results[0] == 0
    assert results[3:] == [each, each]
    assert board.memory.read_bytes(seen, total * 4) == b"\1\0\0\0" * total
    assert board.crew.verdicts() == []


def _take_and_stay(board: Board, ring: WorkRing, word: int) -> None:
    assert WorkRing(board.as_slot(1), ring.offset).pop()
    board.memory.write_u32(word, 1)
    await_word(board.memory, word, 2, 60.0)


def test_items_of_a_dead_consumer_are_counted_and_release_flushes() -> None:
    board = Board(spins=0, yields=0)
    ring = _ring(board)
    word, started = board.take(4), board.take(4)
    ring.push([1])
    ring.push([2])
    with Children(report=board.report) as children:
        victim = children.start(_take_and_stay, board, ring, word)
        await_word(board.memory, word, 1)
        item = ring.pop()
        assert item
        ring.done(item[0])
        children.start(_flush, board, ring, 2, started)
        _await_sleep(board, 2)
        victim.kill()
        board.crew.mark_dead(1)
        assert ring.state()["floor"] == 0
        assert ring.repair(1) == 1
        assert children.results() == [0]
    state = ring.state()
    assert (state["lost"], state["floor"], state["head"]) == (1, 2, 2)
    assert ring.repair(1) == 0


def test_repair_wakes_a_consumer_blocked_by_a_dead_producer() -> None:
    """A reserved position blocked a later item; the repair must wake the sleeping consumer."""
    board = Board(spins=0, yields=0)
    ring = _ring(board)
    ring.push([0])
    # The state after a producer is killed between reserving and publishing: the slot word in state RESERVED, owner slot 1.
    board.memory.write_u64(ring.offset + SIZES["work_ring"], 0 << 20 | 2 << 4 | RESERVED)
    assert ring.push([7]) == 0
    assert ring.pop() is None

    def consume() -> tuple[int, int]:
        mine = WorkRing(board.as_slot(2), ring.offset)
        slept = mine.sleep_until_work(20 * SECOND)
        item = mine.pop()
        assert item
        return slept, item[1][0]

    with Children(5.0, board.report) as children:
        children.start(consume)
        _await_sleep(board, 2)
        board.crew.mark_dead(1)
        assert ring.repair(1) == 1
        assert children.results() == [(0, 7)]


def test_done_by_another_actor_is_a_verdict() -> None:
    board = Board()
    ring = _ring(board)
    ring.push([1])
    item = ring.pop()
    assert item
    WorkRing(board.as_slot(1), ring.offset).done(item[0])
    assert [v["kind"] for v in board.crew.verdicts()] == [VerdictKind.VERDICT_BAD_WORD]
    ring.done(item[0])
    ring.done(item[0])
    assert len(board.crew.verdicts()) == 2
