# SPDX-License-Identifier: MIT
from typing import Self

from iopf.emulator.board.process import Process
from typing_extensions import disjoint_base

@disjoint_base
class InitialState:
    now: int
    written_pages: int

    def __new__(cls, processes: list[Process]) -> Self: ...
    def watch(self) -> None: ...
    def close(self) -> None: ...
