# SPDX-License-Identifier: MIT
from typing import Self

from iopf.emulator.sched.tree import Walk
from typing_extensions import disjoint_base

OPERATIONS: dict[str, int]

@disjoint_base
class Litmus:
    def __new__(cls, programs: list[list[tuple[str, int, int]]]) -> Self: ...
    def walk(
        self, by: Walk = ..., bound: int = ..., most: int = ...
    ) -> list[tuple[tuple[int, ...] | None, list[tuple[int, int, int]]]]: ...
    def play(
        self, strategy: int, depth: int, seed: int, schedules: int, tso: bool
    ) -> set[tuple[int, ...] | None]: ...
