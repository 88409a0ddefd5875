# SPDX-License-Identifier: MIT
from typing import Any

OFF_CREW: int
OFF_DEVICES: int
OFF_UPLINKS: int
OFF_DOWNLINKS: int
OFF_PASID_TABLES: int
OFF_PASID_ARRAYS: int
OFF_PRQ_RECORDS: int
OFF_PRQ_NOTES: int
OFF_QI_RECORDS: int
OFF_QI_NOTES: int
OFF_WORK: int
OFF_POOLS: int
OFF_TENANTS: int
OFF_VMAS: int
OFF_LEDGER_HW: int
OFF_LEDGER_KERNEL: int
OFF_PROGRAMS: int
OFF_HISTOGRAMS: int
OFF_EVENTS: int
OFF_DONE: int
OFF_PASID_BITMAP: int
OFF_META: int
OFF_IOASID: int
OFF_IOMMUS: int
OFF_QUEUES: int
OFF_DRIVERS: int
OFF_RESULTS: int
OFF_LABELS: int
OFF_SEQUENCES: int
OFF_BARRIERS: int
OFF_PARTIAL_LISTS: int
OFF_USER_BUFFERS: int
OFF_PRIVATE: int
OFF_STACKS: int
OFF_RUNQUEUE: int
OFF_COUNT: int
PAGE: int

def stride(size: int) -> int: ...
def plan_layout(config: dict[str, int]) -> dict[Any, int]: ...
def work_bytes(config: dict[str, int]) -> int: ...
def layout_hash() -> int: ...
