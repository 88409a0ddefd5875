# SPDX-License-Identifier: MIT
"""Types of the compiled module; see the .pyx."""

from typing import Self

from iopf.emulator.board.process import Process
from typing_extensions import disjoint_base

ENTRIES: dict[str, int]

@disjoint_base
class Unit:
    def __new__(cls, process: Process) -> Self: ...
    def prepare(
        self,
        gone: bool,
        enabled: bool,
        entry: str,
        overflowed: bool,
        full: bool,
        pending: bool,
        pasid: int,
    ) -> None: ...
    def serve(
        self, message: str, pasid: int, pasid_present: bool
    ) -> tuple[int | None, int, bool, bool, int, int]: ...
    def drain(self, requests: int) -> tuple[int, bool]: ...
    def report(self, qw0: int, qw1: int, qw2: int, qw3: int) -> int: ...
