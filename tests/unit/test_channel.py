# SPDX-License-Identifier: MIT
"""The channel between real processes: order, blocking, deaths, and closing."""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from iopf.cython_ext.channel import Channel, ChannelClosed, ChannelError, Consumer
from iopf.cython_ext.memory import Memory
from iopf.cython_ext.ring_bench import (
    Tally,
    consume_channel,
    consume_link,
    consume_plain,
    produce_channel,
    produce_link,
    produce_plain,
    records_of,
    ring_bytes,
    sum_of,
)

from tests.support.channels import (
    PATIENCE_S,
    make,
    name_of,
    put_for_ever,
    put_in_pieces,
    until,
)


class Children:
    """Forked processes of a test; none of them survives it."""

    def __init__(self) -> None:
        self.pids: list[int] = []

    def start(self, work: Callable[[], object]) -> int:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                work()
                status = 0
            finally:
                os._exit(status)
        self.pids.append(pid)
        return pid

    def join(self, pid: int) -> int:
        """Wait for the end of a process. Returns its exit status, or minus the signal."""
        self.pids.remove(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        assert self.join(pid) == -signal.SIGKILL


@pytest.fixture
def children() -> Iterator[Children]:
    children = Children()
    yield children
    for pid in list(children.pids):
        os.kill(pid, signal.SIGKILL)
        children.join(pid)


@pytest.mark.parametrize("capacity", [1, 8, 256])
@pytest.mark.parametrize("piece", [1, 5, 64])
def test_several_producers_keep_their_order(children: Children, capacity: int, piece: int) -> None:
    count, producers = 3000, 3
    channel = Channel(make(producers, capacity))
    pids = [
        children.start(partial(put_in_pieces, channel, index, count, piece))
        for index in range(producers)
    ]
    consumer, tally = channel.consumer(), Tally()
    expected = [0] * producers
    while tally.records < producers * count:
        data = consumer.get(PATIENCE_S) if piece == 1 else consumer.get_many(64, PATIENCE_S)
        tally.add(data)
        for start in range(0, len(data), 64):
            index, number = name_of(data[start : start + 8])
            assert number == expected[index]
            expected[index] += 1
    assert tally.sum == sum(sum_of(index, count) for index in range(producers)) % 2**64
    assert [children.join(pid) for pid in pids] == [0] * producers
    assert all(end["timeouts_with_work"] == 0 for end in channel.stats().values())


@pytest.mark.parametrize("batch", [1, 64])
def test_loops_without_python(children: Children, batch: int) -> None:
    count = 20_000
    channel = Channel(make(2, 64))

    def produce(index: int) -> None:
        produce_channel(channel.producer(index), count, batch)

    for index in range(2):
        children.start(partial(produce, index))
    total = sum(sum_of(index, count) for index in range(2)) % 2**64
    assert consume_channel(channel.consumer(), 2 * count, batch) == (2 * count, total, 0)


@pytest.mark.parametrize("kind", [(produce_link, consume_link), (produce_plain, consume_plain)])
def test_rings_of_the_benchmark(
    children: Children, kind: tuple[Callable[..., object], ...]
) -> None:
    produce, consume = kind
    memory = Memory(mmap.mmap(-1, ring_bytes(64)))
    children.start(lambda: produce(memory, 0, 64, 20_000, 64))
    assert consume(memory, 0, 64, 20_000, 64) == (20_000, sum_of(0, 20_000), 0)


def test_a_full_channel_blocks_and_wakes_its_producer(children: Children) -> None:
    channel = Channel(make(1, 8))
    pid = children.start(lambda: put_in_pieces(channel, 0, 100, 1))
    until(lambda: channel.stats()["producer 0"]["sleeps"] > 0)
    consumer = channel.consumer()
    assert [name_of(consumer.get(PATIENCE_S)) for _ in range(100)] == [(0, n) for n in range(100)]
    assert children.join(pid) == 0
    assert channel.stats()["consumer"]["wakes"] > 0
    assert channel.stats()["producer 0"]["timeouts_with_work"] == 0


def test_an_empty_channel_blocks_and_wakes_its_consumer(children: Children) -> None:
    channel = Channel(make(1, 8))

    def consume() -> None:
        assert channel.consumer().get(PATIENCE_S) == records_of(0, 7, 1)

    pid = children.start(consume)
    until(lambda: channel.stats()["consumer"]["sleeps"] > 0)
    channel.producer(0).put(records_of(0, 7, 1))
    assert children.join(pid) == 0
    assert channel.stats()["consumer"]["timeouts_with_work"] == 0


def test_timeouts() -> None:
    channel = Channel(make(1, 8))
    producer, consumer = channel.producer(0), channel.consumer()
    for get in (consumer.get, lambda timeout_s: consumer.get_many(8, timeout_s)):
        with pytest.raises(TimeoutError, match=r"no record in the channel within 0\.01 s"):
            get(0.01)
    assert producer.put_many(records_of(0, 0, 10), 0.01) == 8
    with pytest.raises(TimeoutError, match="no room"):
        producer.put(records_of(0, 8, 1), 0.01)
    with pytest.raises(TimeoutError, match="no room"):
        producer.put_many(records_of(0, 8, 2), timeout_s=0)
    assert consumer.get_many(100) == records_of(0, 0, 8)
    producer.put(records_of(0, 8, 1), 0)
    assert consumer.get(0) == records_of(0, 8, 1)


def test_a_killed_producer_does_not_block_others(children: Children) -> None:
    channel = Channel(make(3, 16))
    pids = [children.start(partial(put_for_ever, channel, index)) for index in range(3)]
    consumer, expected = channel.consumer(), [0, 0, 0]

    def take(count: int) -> None:
        for _ in range(count):
            index, number = name_of(consumer.get(PATIENCE_S))
            assert number == expected[index]
            expected[index] += 1

    while min(expected) < 100:
        take(1)
    children.kill(pids[1])
    take(48)  # the records published by the dead producer, and no others
    before = list(expected)
    while min(expected[0] - before[0], expected[2] - before[2]) < 1000:
        take(1)
    assert expected[1] - before[1] <= 16
    # A successor continues at the old tail.
    successor = channel.producer(1)
    successor.put(records_of(1, expected[1], 1), PATIENCE_S)
    goal = expected[1] + 1
    while expected[1] < goal:
        take(1)


def test_a_killed_consumer_is_succeeded(children: Children) -> None:
    channel = Channel(make(1, 8))
    taken = mmap.mmap(-1, 8)

    def consume() -> None:
        consumer = channel.consumer()
        while True:
            taken[:] = consumer.get()[:8]

    children.start(lambda: put_for_ever(channel, 0))
    consuming = children.start(consume)
    until(lambda: int.from_bytes(taken[:], "little") > 200)
    children.kill(consuming)
    last = int.from_bytes(taken[:], "little")
    consumer = channel.consumer()
    first = name_of(consumer.get(PATIENCE_S))[1]
    assert first in (last + 1, last + 2)  # the record in processing may be lost
    numbers = [name_of(consumer.get(PATIENCE_S))[1] for _ in range(2000)]
    assert numbers == list(range(first + 1, first + 2001))


def test_an_end_has_one_owner(children: Children) -> None:
    channel = Channel(make(2))
    producer = channel.producer(0)
    with pytest.raises(ChannelError, match=f"producer 0 is process {os.getpid()}, which"):
        channel.producer(0)
    del producer
    successor = channel.producer(0)

    def go_on() -> None:
        successor.put(records_of(0, 0, 1))  # a forked child replaces its parent

    assert children.join(children.start(go_on)) == 0
    with pytest.raises(ChannelError, match="producer 0 belongs to another process now"):
        successor.put(records_of(0, 1, 1))
    consumer = channel.consumer()
    assert consumer.get(PATIENCE_S) == records_of(0, 0, 1)
    with pytest.raises(ChannelError, match="the consumer is process"):
        Consumer(channel)


def test_a_forked_consumer_reads_its_indices_anew(children: Children) -> None:
    channel = Channel(make(1))
    consumer, producer = channel.consumer(), channel.producer(0)
    producer.put_many(records_of(0, 0, 6))

    def take(first: int) -> Callable[[], None]:
        def work() -> None:
            assert consumer.get_many(3, PATIENCE_S) == records_of(0, first, 3)

        return work

    assert children.join(children.start(take(0))) == 0
    assert children.join(children.start(take(3))) == 0


def test_close_wakes_and_keeps_published_records(children: Children) -> None:
    channel = Channel(make(2, 4))

    def fill() -> None:
        with pytest.raises(ChannelClosed):
            put_for_ever(channel, 0)

    pid = children.start(fill)
    until(lambda: channel.stats()["producer 0"]["sleeps"] > 0)
    assert not channel.closed
    channel.close()
    assert channel.closed
    assert children.join(pid) == 0
    consumer = channel.consumer()
    assert consumer.get_many(100) == records_of(0, 0, 4)
    with pytest.raises(ChannelClosed, match="closed and empty"):
        consumer.get()
    with pytest.raises(ChannelClosed, match="put to a closed channel"):
        channel.producer(1).put(records_of(1, 0, 1))


def test_close_wakes_a_sleeping_consumer(children: Children) -> None:
    channel = Channel(make())

    def consume() -> None:
        with pytest.raises(ChannelClosed):
            channel.consumer().get(PATIENCE_S)

    pid = children.start(consume)
    until(lambda: channel.stats()["consumer"]["sleeps"] > 0)
    channel.close()
    assert children.join(pid) == 0


def test_a_signal_interrupts_waiting() -> None:
    channel = Channel(make())
    consumer = channel.consumer()

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        child = os.fork()
        if child == 0:
            while channel.stats()["consumer"]["sleeps"] == 0:
                os.sched_yield()
            os.kill(os.getppid(), signal.SIGUSR1)
            os._exit(0)
        with pytest.raises(KeyboardInterrupt):
            consumer.get(PATIENCE_S)
        os.waitpid(child, 0)
    finally:
        signal.signal(signal.SIGUSR1, before)
    channel.producer(0).put(records_of(0, 3, 1))
    assert consumer.get(0) == records_of(0, 3, 1)
