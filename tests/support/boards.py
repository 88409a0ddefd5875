# SPDX-License-Identifier: MIT
"""A small board in anonymous memory, for tests that need kernel objects but no other process."""

from __future__ import annotations

import mmap

from iopf.cython_ext.memory import Memory
from iopf.emulator.board.board import format_board
from iopf.emulator.board.layout import plan_layout
from iopf.emulator.spec.kernels import NEWEST, NUMBERS

CONFIG = {
    "devices": 2, "handlers": 1, "tenants": 2, "prq_records": 128, "ref_limit": 0, "qi_records": 64, "max_pasids": 16,
    "ledger_slots": 512, "max_vmas": 64, "work_slots": 64, "event_records": 64, "mms": 8, "faults": 64,
    "groups": 32, "handles": 8, "tables": 64, "generation": int(NUMBERS[NEWEST]), "profile": 0, "programs": 8,
    "units": 1, "drivers": 1, "queue_mode": 0, "queues": 1, "work_rings": 1, "options": 0, "fault_objects": 0,
    "major_permille": 0, "exponential": 0, "pace": 0, "account": 1, "minor_ns": 0, "major_ns": 0,
    "seed": 1, "watchdog_ns": 1_000_000_000, "controlled": 0, "defects": 0,
}  # fmt: skip


def make_board(**changes: int) -> Memory:
    """A formatted board; ``changes`` replace values of ``CONFIG``."""
    config = {**CONFIG, **changes}
    memory = Memory(mmap.mmap(-1, plan_layout(config)["total"]))
    format_board(memory, config, tick_mult=0, spins=10, yields=10, lockdep=True, poison=True)
    return memory
