# SPDX-License-Identifier: MIT
from typing import Any

from iopf.emulator.board.process import Process

def prepare(process: Process, dev: int, p: dict[str, Any]) -> None: ...
