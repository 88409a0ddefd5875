# SPDX-License-Identifier: MIT
from collections.abc import Callable

from iopf.emulator.sched.judge import Bug
from iopf.emulator.sched.scheduler import Scheduler
from iopf.emulator.sched.tree import Walk
from typing_extensions import disjoint_base

@disjoint_base
class Explorer(Scheduler):
    early: bool
    timed: bool

    @property
    def walkable(self) -> bool: ...
    def reset_strategies(self) -> None: ...
    def reset_tokens(self) -> None: ...
    def run_actor(self, slot: int) -> None: ...
    def stop_processes(self) -> None: ...
    def explore(
        self,
        plan: list[tuple[int, int]],
        seed: int,
        first: int,
        most: int,
        max_steps: int = ...,
    ) -> tuple[Bug, int, tuple[int, int] | None]: ...
    def walk(
        self,
        by: Walk,
        bound: int,
        budget_ns: int,
        most: int = ...,
        tell: Callable[[int], None] | None = ...,
    ) -> tuple[Bug, int, bool]: ...
