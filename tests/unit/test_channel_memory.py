# SPDX-License-Identifier: MIT
"""The channel in one process: supported buffers, and memory that is not a channel, damaged or truncated."""

from __future__ import annotations

import mmap
import struct
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iopf.cython_ext.channel import Channel, ChannelError
from iopf.cython_ext.memory import Memory
from iopf.cython_ext.ring_bench import records_of

from tests.support.channels import PATIENCE_S, make

HEADER = struct.Struct("<QIIQQII")  # magic, layout, producers, capacity, bytes, closed, padding


def test_buffers_of_every_kind() -> None:
    channel = Channel(make(1, 16))
    producer, consumer = channel.producer(0), channel.consumer()
    record = records_of(0, 5, 1)
    for wrapped in (record, bytearray(record), memoryview(record)):
        producer.put(wrapped)
        into = bytearray(64)
        consumer.get_into(into)
        assert into == record
    assert producer.put_many(b"") == 0
    assert producer.put_many(bytearray(records_of(0, 0, 3))) == 3
    room = bytearray(64 * 8)
    assert consumer.get_many_into(room) == 3
    assert room[: 3 * 64] == records_of(0, 0, 3)


@pytest.mark.parametrize("size", [0, 63, 65, 128])
def test_a_record_has_64_bytes(size: int) -> None:
    channel = Channel(make())
    producer, consumer = channel.producer(0), channel.consumer()
    with pytest.raises(ValueError, match=f"64 bytes, not {size}"):
        producer.put(bytes(size))
    if size % 64:
        with pytest.raises(ValueError, match="not a multiple of records"):
            producer.put_many(bytes(size))
        with pytest.raises(ValueError, match="not a multiple of records"):
            consumer.get_many_into(bytearray(size))
    with pytest.raises(ValueError, match=f"64 bytes, not {size}"):
        consumer.get_into(bytearray(size))
    with pytest.raises(TypeError):
        producer.put("text")  # type: ignore[arg-type]
    with pytest.raises((TypeError, BufferError)):
        consumer.get_into(bytes(64))
    with pytest.raises(ValueError, match="at least one"):
        consumer.get_many(0)


@pytest.mark.parametrize(
    ("producers", "capacity"), [(0, 8), (257, 8), (1, 0), (1, 3), (1, 1 << 21)]
)
def test_impossible_numbers(producers: int, capacity: int) -> None:
    with pytest.raises(ValueError, match=r"a channel has 1 to|power of two"):
        Channel.bytes_needed(producers, capacity)


def test_foreign_damaged_and_truncated_memory() -> None:
    size = Channel.bytes_needed(2, 8)
    with pytest.raises(ChannelError, match="no channel at offset 0"):
        Channel(Memory(mmap.mmap(-1, size)))
    with pytest.raises(IndexError):
        Channel.format(Memory(mmap.mmap(-1, 4096)), 0, 2, 8)
    good = make(2, 8).read_bytes(0, size)
    for field, message in ((1, "another version"), (2, "damaged"), (3, "damaged"), (4, "damaged")):
        values = list(HEADER.unpack_from(good))
        values[field] += 1
        area = mmap.mmap(-1, size)
        area[:] = HEADER.pack(*values) + good[HEADER.size :]
        with pytest.raises(ChannelError, match=message):
            Channel(Memory(area))
    part = mmap.mmap(-1, size - 64)
    part[:] = good[:-64]
    with pytest.raises(ChannelError, match="truncated"):
        Channel(Memory(memoryview(part)[: size - 64]))
    with pytest.raises(IndexError):
        Channel(Memory(memoryview(part)[:8]))


def test_places_in_memory() -> None:
    memory = make(1, 8, offset=128)
    assert Channel(memory, 128).capacity == 8
    with pytest.raises(ValueError, match="cache line"):
        Channel(memory, 8)
    with pytest.raises(IndexError):
        Channel(memory, memory.size)
    with pytest.raises(IndexError, match="no producer 1; the number of producers is 1"):
        Channel(memory, 128).producer(1)


def test_read_only_and_closed_memory() -> None:
    memory = make()
    copy = memory.read_bytes(0, memory.size)
    with pytest.raises(PermissionError):
        Channel(Memory(copy, writable=False))
    with pytest.raises(PermissionError):
        Channel.format(Memory(copy, writable=False), 0, 1, 8)
    memory.close()
    with pytest.raises(ValueError, match="closed"):
        Channel(memory)


def test_a_channel_pins_its_mapping() -> None:
    area = mmap.mmap(-1, Channel.bytes_needed(1, 8))
    memory = Memory(area)
    Channel.format(memory, 0, 1, 8)
    producer = Channel(memory).producer(0)
    memory.close()
    with pytest.raises(BufferError):
        area.close()
    producer.put(bytes(64))
    del producer
    area.close()


def test_an_overwritten_index_is_an_error() -> None:
    memory = make(1, 8)
    channel = Channel(memory)
    consumer = channel.consumer()
    link = memory.size - (128 + 8 * 64)
    memory.write_u64(link, 1000)  # the tail, far beyond the head
    with pytest.raises(ChannelError, match="out of range"):
        consumer.get(PATIENCE_S)


@settings(deadline=None, max_examples=60)
@given(
    capacity=st.sampled_from([1, 2, 8, 32]),
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=60),
)
def test_like_a_bounded_queue(capacity: int, steps: list[tuple[bool, int]]) -> None:
    channel = Channel(make(1, capacity))
    producer, consumer = channel.producer(0), channel.consumer()
    model: deque[int] = deque()
    number = 0
    for put, count in steps:
        if put:
            room = min(count, capacity - len(model))
            if room:
                assert producer.put_many(records_of(0, number, count), 0) == room
            else:
                with pytest.raises(TimeoutError):
                    producer.put_many(records_of(0, number, count), 0)
            model.extend(range(number, number + room))
            number += room
        elif model:
            taken = [model.popleft() for _ in range(min(count, len(model)))]
            assert consumer.get_many(count, 0) == b"".join(records_of(0, n, 1) for n in taken)
        else:
            with pytest.raises(TimeoutError):
                consumer.get(0)
