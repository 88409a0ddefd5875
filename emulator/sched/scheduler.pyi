from collections.abc import Iterable, Mapping
from typing import Self

from iopf.cython_ext.memory import Memory
from iopf.emulator.board.process import Process
from iopf.emulator.sched.coverage import Coverage
from iopf.emulator.sched.judge import Bug
from typing_extensions import disjoint_base

@disjoint_base
class Conductor:
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
    def play_ordered(
        self, orderings: list[tuple[tuple[int, int, int], tuple[int, int, int]]]
    ) -> tuple[Bug, int]: ...
    def play_to(self, path: bytes, step: int) -> bool: ...
    def take_away(self, slot: int) -> None: ...
    def hold(self, slot: int) -> None: ...
    def let_go(self, slot: int) -> None: ...
    def go_on(
        self, without: Iterable[int] = ..., max_steps: int = ..., stir: bool = ...
    ) -> Bug: ...
    def standing(self) -> list[tuple[int, int, int, int, int, bool]]: ...
