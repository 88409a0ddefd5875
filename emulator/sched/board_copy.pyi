# SPDX-License-Identifier: MIT
from collections.abc import Iterable, Sequence
from typing import Self

from iopf.cython_ext.memory import Memory
from typing_extensions import disjoint_base

@disjoint_base
class BoardCopy:
    memory: Memory
    pages: int
    written: int

    def __new__(
        cls,
        memory: Memory,
        length: int,
        apart: Iterable[tuple[int, int]] = ...,
        pieces: Sequence[tuple[int, int]] = ...,
    ) -> Self: ...
    def watch(self) -> None: ...
    def close(self) -> None: ...
