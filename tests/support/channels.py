# SPDX-License-Identifier: MIT
"""Channels in anonymous memory, and the processes of their tests."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

from iopf.cython_ext.channel import Channel
from iopf.cython_ext.memory import Memory
from iopf.cython_ext.ring_bench import records_of

from tests.support.speed import slowdown

PATIENCE_S = 20.0 * slowdown()


def make(producers: int = 1, capacity: int = 8, offset: int = 0) -> Memory:
    memory = Memory(mmap.mmap(-1, offset + Channel.bytes_needed(producers, capacity)))
    Channel.format(memory, offset, producers, capacity)
    return memory


def until(condition: Callable[[], bool]) -> None:
    """Poll until a condition that another process establishes is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.001)


def name_of(record: bytes) -> tuple[int, int]:
    """Producer and number of a record of `records_of`."""
    word = int.from_bytes(record[:8], "little")
    return word >> 48, word & (1 << 48) - 1


def put_in_pieces(channel: Channel, index: int, count: int, piece: int) -> None:
    producer = channel.producer(index)
    for first in range(0, count, piece):
        records = records_of(index, first, min(piece, count - first))
        if len(records) == 64:
            producer.put(records, PATIENCE_S)
        else:
            assert producer.put_many(records, PATIENCE_S) == len(records) // 64


def put_for_ever(channel: Channel, index: int) -> None:
    producer, number = channel.producer(index), 0
    while True:
        producer.put(records_of(index, number, 1))
        number += 1
