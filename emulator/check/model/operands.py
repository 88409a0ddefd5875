# SPDX-License-Identifier: MIT
"""Operands of a line, shared by the modules of operations."""

from __future__ import annotations

from iopf.emulator.check.model.objects import Device, Tenant
from iopf.emulator.check.model.state import State
from iopf.emulator.program.lines import Line


def device_of(state: State, line: Line) -> Device:
    """The device of the line."""
    return state.devices[line.number("device")]


def tenant_of(state: State, line: Line) -> Tenant:
    """The tenant of the line."""
    return state.tenants[line.number("tenant")]


def pages_of(line: Line) -> range:
    """The pages of a line, counted from PROGRAM_BASE."""
    start = line.number("at")
    return range(start, start + line.number("pages"))
