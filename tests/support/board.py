# SPDX-License-Identifier: MIT
"""Shared memory with a crew at its start and room for the primitives under test."""

from __future__ import annotations

import mmap
import os
import time

from iopf.cython_ext.memory import Memory

from tests.probes.crew import SIZES, Crew
from tests.support.speed import slowdown


class Board:
    """Anonymous memory, shared across forks. Offsets are allocated once, by cache line."""

    def __init__(
        self, actors: int = 8, size: int = 1 << 20, *, spins: int = 50, yields: int = 64
    ) -> None:
        self.mapping = mmap.mmap(-1, size)
        self.memory = Memory(self.mapping)
        self.actors = actors
        self.next = 0
        Crew.format(
            self.memory,
            actors,
            self.take(SIZES["crew"] + actors * SIZES["actor"]),
            spins=spins,
            yields=yields,
        )
        self.crew = Crew(self.memory, 0)

    def take(self, length: int) -> int:
        """The offset of ``length`` unused zeroed bytes."""
        at = self.next
        self.next += (length + 63) // 64 * 64
        if self.next > self.memory.size:
            raise MemoryError(f"{length} bytes more than the board holds")
        return at

    def as_slot(self, slot: int) -> Crew:
        return Crew(self.memory, slot)

    def report(self) -> str:
        """Positions of all actors, for the message of a test that timed out."""
        lines = [f"slot {slot}: {self.crew.actor(slot)}" for slot in range(self.actors)]
        return "\n".join([*lines, f"verdicts: {self.crew.verdicts()}"])


def await_word(memory: Memory, offset: int, value: int, timeout_s: float = 10.0) -> None:
    """The receiving half of a handshake: waits until the word at ``offset`` is at least ``value``."""
    until = time.monotonic() + timeout_s * slowdown()
    while memory.read_u32(offset) < value:
        if time.monotonic() > until:
            raise TimeoutError(f"word {offset:#x} is {memory.read_u32(offset)}, not yet {value}")
        os.sched_yield()
