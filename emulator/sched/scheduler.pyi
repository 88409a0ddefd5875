# SPDX-License-Identifier: MIT
from collections.abc import Iterable, Mapping
from typing import Self

from iopf.cython_ext.memory import Memory
from iopf.emulator.board.process import Process
from iopf.emulator.sched.coverage import Coverage
from iopf.emulator.sched.judge import Bug
from typing_extensions import disjoint_base

@disjoint_base
class Scheduler:
    base_address: int
    delayed: bool
    memory: Memory
    processes: list[Process]
    by_processes: bool
    tso: bool
    still: bool
    coverage: Coverage | None
    played: int
    steps: int
    written_pages: int
    ended: int
    leapt_ns: int
    trace_hash: int
    trace: list[tuple[int, int, int, int, int]]
    path: bytes

    def __new__(
        cls,
        memory: Memory,
        processes: list[Process],
        must: Iterable[int] = ...,
        expected: Mapping[int, int] | None = ...,
    ) -> Self: ...
    def settle(self, max_steps: int = ...) -> int: ...
    def open(self) -> None: ...
    def close(self) -> None: ...
    def replay(self, path: bytes, loose: bool = ..., max_steps: int = ...) -> Bug: ...
    def run_ordered(
        self, orderings: list[tuple[tuple[int, int, int], tuple[int, int, int]]]
    ) -> tuple[Bug, int]: ...
    def run_to(self, path: bytes, step: int) -> bool: ...
    def kill(self, slot: int) -> None: ...
    def hold(self, slot: int) -> None: ...
    def release(self, slot: int) -> None: ...
    def continue_schedule(
        self, without: Iterable[int] = ..., max_steps: int = ..., recheck: bool = ...
    ) -> Bug: ...
    def positions(self) -> list[tuple[int, int, int, int, int, bool]]: ...
