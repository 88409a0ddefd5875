# SPDX-License-Identifier: MIT
"""The link, the record ring, and the event ring: order, wrapping, and detection of corrupted indices."""

from __future__ import annotations

import pytest
from iopf.cython_ext.crew import VerdictKind

from tests.probes.crew import SIZES
from tests.probes.rings import EventRing, Link, RecordRing
from tests.support.board import Board, await_word
from tests.support.children import Children, run_together


def _link(board: Board, capacity: int) -> int:
    return board.take(SIZES["link"] + capacity * 64)


@pytest.mark.parametrize("noise", [0, 3])
@pytest.mark.parametrize(
    ("capacity", "send_batch", "read_batch"), [(1, 1, 1), (4, 3, 1), (64, 16, 5)]
)
def test_link_keeps_every_record_in_order(
    capacity: int, send_batch: int, read_batch: int, noise: int
) -> None:
    board = Board()
    at, count = _link(board, capacity), 2000 if noise else 20000

    def run(slot: int, producer: bool) -> int:
        crew = board.as_slot(slot)
        if noise:
            crew.noise(noise, noise * 40, seed=slot)
        return Link(crew, at, capacity, producer=producer).stream(
            0, count, send_batch if producer else read_batch, 20_000_000_000
        )

    assert run_together(lambda: run(1, True), lambda: run(2, False), report=board.report) == [
        count,
        count,
    ]
    assert board.crew.verdicts() == []


def test_link_indices_continue_after_attaching_again() -> None:
    """A producer or consumer that attaches again starts from the shared words, even if they are far along or about to wrap."""
    board = Board()
    at = _link(board, 4)
    for index in (0, 2**32 - 2, 2**64 - 3):
        board.memory.write_u64(at, index)
        board.memory.write_u64(at + 64, index)
        for n in range(10):
            producer = Link(board.crew, at, 4, producer=True)
            assert producer.fill([n])
            assert producer.publish() == 1
            consumer = Link(board.as_slot(1), at, 4, producer=False)
            assert (consumer.take() or (None,))[0] == n
            consumer.consume()
    assert board.crew.verdicts() == []


def test_a_link_shows_only_published_records_and_has_its_exact_capacity() -> None:
    board = Board()
    at = _link(board, 4)
    producer, consumer = (
        Link(board.crew, at, 4, producer=True),
        Link(board.as_slot(1), at, 4, producer=False),
    )
    assert [producer.fill([n]) for n in range(5)] == [True] * 4 + [False]
    assert consumer.take() is None
    assert not consumer.waiting
    assert producer.publish() == 4
    assert producer.publish() == 0
    assert consumer.waiting
    assert [(consumer.take() or (None,))[0] for _ in range(5)] == [0, 1, 2, 3, None]
    assert not producer.fill([9])  # read, but not released
    consumer.consume()
    assert producer.fill([9])


def test_a_killed_producer_loses_unpublished_records() -> None:
    board = Board()
    at, word = _link(board, 8), board.take(4)

    def produce() -> None:
        producer = Link(board.as_slot(1), at, 8, producer=True)
        producer.fill([1])
        producer.publish()
        producer.fill([2])
        producer.fill([3])
        board.memory.write_u32(word, 1)
        await_word(board.memory, word, 2, 60.0)

    with Children() as children:
        child = children.start(produce)
        await_word(board.memory, word, 1)
        child.kill()
    successor, consumer = (
        Link(board.crew, at, 8, producer=True),
        Link(board.as_slot(2), at, 8, producer=False),
    )
    successor.fill([4])
    successor.publish()
    assert [(consumer.take() or (None,))[0] for _ in range(3)] == [1, 4, None]


@pytest.mark.parametrize("attach_after", [True, False])
@pytest.mark.parametrize("damage", [9, 1000, 2**63, 2**64 - 9])
def test_a_link_index_out_of_range_is_a_verdict(damage: int, attach_after: bool) -> None:
    """The side that reads it counts the ring as empty (full), also when it attaches to the damaged ring."""
    board = Board()
    at = _link(board, 4)
    consumer = None if attach_after else Link(board.as_slot(1), at, 4, producer=False)
    board.memory.write_u64(at, damage)
    consumer = consumer or Link(board.as_slot(1), at, 4, producer=False)
    assert consumer.take() is None
    assert [(v["kind"], v["actor"]) for v in board.crew.verdicts()] == [
        (VerdictKind.VERDICT_BAD_WORD, 1)
    ]

    board.crew.clear_verdicts()
    board.memory.write_u64(at, 0)
    producer = None if attach_after else Link(board.as_slot(2), at, 4, producer=True)
    filled = int(producer is not None and producer.fill([0]))  # its first read, of a valid index
    board.memory.write_u64(at + 64, damage)
    producer = producer or Link(board.as_slot(2), at, 4, producer=True)
    while filled < 9 and producer.fill([0]):
        filled += 1
    assert filled == (0 if attach_after else 4)
    assert [(v["kind"], v["actor"]) for v in board.crew.verdicts()] == [
        (VerdictKind.VERDICT_BAD_WORD, 2)
    ]


def _ring(board: Board, count: int) -> int:
    return board.take(SIZES["record_ring"] + count * 32)


@pytest.mark.parametrize("count", [2, 8, 128])
def test_record_ring_has_one_slot_less_than_it_has_records(count: int) -> None:
    board = Board()
    ring = RecordRing(board.crew, _ring(board, count), count)
    for lap in range(3):
        put = 0
        while ring.put([lap, put]):
            put += 1
        assert put == ring.used() == count - 1
        for n in range(count - 1):
            assert ring.get() == (lap, n, 0, 0)
        assert ring.get() is None
        assert ring.used() == 0
    assert ring.head == ring.tail == 3 * (count - 1) % count * 32
    assert board.crew.verdicts() == []


def test_record_ring_between_processes() -> None:
    board = Board()
    at, total = _ring(board, 8), 3000

    def produce() -> None:
        ring, n = RecordRing(board.as_slot(1), at, 8), 0
        while n < total:
            n += ring.put([n, ~n & 0xFFFF, n * 3, 7])

    def consume() -> int:
        ring, n = RecordRing(board.as_slot(2), at, 8), 0
        while n < total:
            record = ring.get()
            if record is not None:
                assert record == (n, ~n & 0xFFFF, n * 3, 7)
                n += 1
        return n

    assert run_together(produce, consume, report=board.report) == [None, total]


@pytest.mark.parametrize("damage", [256, 33, 8, 2**63, 2**64 - 32])
def test_a_damaged_register_is_a_verdict(damage: int) -> None:
    """A tail off the ring or unaligned counts as empty, such a head as full."""
    board = Board()
    ring = RecordRing(board.crew, _ring(board, 8), 8)
    assert ring.put([1])
    ring.tail = damage
    assert ring.get() is None
    ring.tail = 32
    assert ring.get() == (1, 0, 0, 0)
    ring.head = damage
    assert not ring.put([2])
    kinds = [(v["kind"], v["object"], v["detail"]) for v in board.crew.verdicts()]
    assert kinds == [
        (VerdictKind.VERDICT_BAD_WORD, damage, 4),
        (VerdictKind.VERDICT_BAD_WORD, damage, 5),
    ]


def test_event_ring_counts_overwritten_records() -> None:
    board = Board()
    ring = EventRing(board.crew, board.take(SIZES["event_ring"] + 8 * SIZES["event"]), capacity=8)
    assert ring.read() == (0, 0, [])
    ring.burst(5)
    end, gone, records = ring.read()
    assert (end, gone, [r[0] for r in records]) == (5, 0, [0, 1, 2, 3, 4])
    ring.burst(20)
    end, gone, records = ring.read(5)
    assert (end, gone, [r[0] for r in records]) == (25, 12, list(range(17, 25)))
    assert ring.read(25) == (25, 0, [])


@pytest.mark.parametrize("noise", [0, 3])
def test_event_ring_readers_see_no_torn_record(noise: int) -> None:
    """Two readers follow a writer that laps them; their records are complete and in order, and kept + overwritten = written."""
    board = Board()
    at, stop = board.take(SIZES["event_ring"] + 16 * SIZES["event"]), board.take(4)
    EventRing(board.crew, at, capacity=16)

    def write() -> None:
        crew = board.as_slot(1)
        if noise:
            crew.noise(noise, noise * 20, seed=7)
        ring = EventRing(crew, at)
        for _ in range(300):
            ring.burst(10 if noise else 200)
        board.memory.write_u32(stop, 1)

    def read(slot: int) -> tuple[int, int]:
        ring, start, kept, lost = EventRing(board.as_slot(slot), at), 0, 0, 0
        last = False
        while True:
            end, gone, records = ring.read(start)
            assert gone + len(records) == end - start
            for n, record in enumerate(records, start=start + gone):
                assert record == (n, n & 0xFFFF, 1, ~n & (2**64 - 1), n * n & (2**64 - 1))
            kept, lost, start = kept + len(records), lost + gone, end
            if last:
                return kept, lost
            last = board.memory.read_u32(stop) != 0

    _, one, two = run_together(write, lambda: read(2), lambda: read(3), report=board.report)
    assert sum(one) == sum(two) == 300 * (10 if noise else 200)
