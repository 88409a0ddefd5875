# SPDX-License-Identifier: MIT
"""Types of the compiled module; see the .pyx."""

from typing import Self

from iopf.emulator.board.process import Process
from typing_extensions import disjoint_base

@disjoint_base
class Workqueue:
    def __new__(cls, process: Process) -> Self: ...
    def add_device(self, dev: int) -> int: ...
    def flush_dev(self, dev: int, as_worker: bool) -> int: ...
