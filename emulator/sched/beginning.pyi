from typing import Self

from typing_extensions import disjoint_base

from emulator.spec.process import Process

@disjoint_base
class Beginning:
    now: int
    written_pages: int

    def __new__(cls, processes: list[Process]) -> Self: ...
    def watch(self) -> None: ...
    def close(self) -> None: ...
