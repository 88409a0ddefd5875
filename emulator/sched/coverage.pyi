# SPDX-License-Identifier: MIT
from typing import Self

from typing_extensions import disjoint_base

@disjoint_base
class Coverage:
    found: int
    full: bool

    def __new__(cls) -> Self: ...
    def handovers(self) -> list[tuple[int, int, int, int]]: ...
