# SPDX-License-Identifier: MIT
from iopf.emulator.board.process import Process

def prepare_iommu(process: Process, index: int) -> None: ...
