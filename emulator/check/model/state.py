# SPDX-License-Identifier: MIT
"""The whole machine of the model, and its observations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopf.emulator.check.ioasid_model import IoasidModel
from iopf.emulator.check.model.objects import (
    FAILURE,
    Device,
    FaultObject,
    Group,
    Mm,
    Request,
    Tenant,
)

if TYPE_CHECKING:
    from iopf.emulator.check.model.flows import Flow

OTHERS = "others"
Waiting = Generator[str, None, int]


class StopRun(Exception):
    """A finding after which the emulated kernel cannot be trusted: it ends the run, like a KASAN report."""


@dataclass(slots=True)
class State:
    """Devices, tenants, hardware queue, work, and accounts.

    `ring` has at most `records` - 1 requests; `overflow` is PRO. `held` are the stopped units. `fails` counts down to the failing
    allocation of a pool. `pasids` is the PASID space of address spaces. `answers` are (device, PASID or None, PRGI, code, last) in order,
    `handled` are (tenant, page) that workers faulted in.
    """

    flow: Flow
    devices: list[Device]
    tenants: list[Tenant]
    records: int
    ring: list[Request | None] = field(default_factory=list)
    overflow: bool = False
    work: list[Group] = field(default_factory=list)
    held: int = 0
    refuse: int = 0
    fails: dict[int, int] = field(default_factory=dict)
    pasids: dict[int, Mm] = field(default_factory=dict)
    objects: dict[int, FaultObject] = field(default_factory=dict)
    ioasid: IoasidModel = field(default_factory=IoasidModel)
    responses: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    counters: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    answers: list[tuple[int, int | None, int, int, bool]] = field(default_factory=list)
    handled: list[tuple[int, int]] = field(default_factory=list)

    def alloc(self, pool: int) -> bool:
        """Whether an allocation from a pool succeeds; `fail POOL nth=N` makes one fail."""
        if pool not in self.fails:
            return True
        self.fails[pool] -= 1
        if self.fails[pool]:
            return True
        del self.fails[pool]
        return False

    def answer(self, request: Request, code: int) -> None:
        """Deliver a page response to the device. It belongs to the last group with its PRGI."""
        device = request.device
        self.answers.append((device.index, request.pasid, request.prgi, code, request.last))
        if device.pri_off:
            return
        label = device.labels.get(request.prgi, OTHERS)
        self.responses.setdefault((device.index, label), []).append(code)
        device.waiting.discard(label)
        if code == FAILURE:
            device.pri_off = True
            device.waiting.clear()
            device.sending.clear()

    def use(self, group: Group, who: str) -> None:
        """Called before each use of a group. A freed one ends the run."""
        if group.freed_by is not None:
            self.stop(f"use after free of a group: freed by {group.freed_by}, used by {who}")

    def free(self, group: Group, who: str) -> None:
        """iopf_free_group."""
        self.use(group, who)
        group.freed_by = who
        self.counters["groups freed"] += 1

    def stop(self, finding: str) -> None:
        """Record a finding and end the run."""
        self.findings.append(finding)
        raise StopRun(finding)
