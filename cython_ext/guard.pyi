# SPDX-License-Identifier: MIT
from typing import Self

from iopf.cython_ext.memory import Memory
from typing_extensions import disjoint_base

@disjoint_base
class Guard:
    def __new__(cls, memory: Memory, line: str, path: str, status: int) -> Self: ...
    @property
    def replaced(self) -> int: ...
    def close(self) -> None: ...

def unguard() -> None: ...
