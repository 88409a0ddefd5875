# SPDX-License-Identifier: MIT
from typing import Self

from iopf.cython_ext.memory import Memory
from typing_extensions import disjoint_base

@disjoint_base
class Process:
    memory: Memory
    slot: int

    def __new__(cls, memory: Memory, slot: int) -> Self: ...
    def arrive(self, start_time: int) -> None: ...
    def run(self) -> int: ...
    def done(self, cpu_ns: int) -> None: ...
