# SPDX-License-Identifier: MIT
"""Size and configuration of a board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopf.device_procs.workload import Pattern
from iopf.emulator.board.config import Option, QueueMode
from iopf.emulator.scenario import expand
from iopf.emulator.scenario.schema import Scenario
from iopf.emulator.spec import program as spec
from iopf.emulator.spec.defects import defect_number
from iopf.emulator.spec.kernels import NUMBERS
from iopf.emulator.trace.program import RECORD
from iopf.emulator.trace.replay import Programs

if TYPE_CHECKING:
    from iopf.tools.supervisor.plan import DevicePlan, TenantPlan

BATCH_SLACK = 64  # objects that one process may keep in its magazine
TABLES_MAX = 1 << 18
GROUP_MAX = 64
_EVENTS = {
    "all": int(Option.OPTION_STEPS),
    "groups": 0,
    "none": int(Option.OPTION_NO_EVENTS),
}


def _power(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


def _tables(scenario: Scenario, tenants: list[TenantPlan], programs: Programs | None) -> int:
    """Page-table pages that may be in use at once, plus those that processes keep in magazines."""
    used = 8 * len(tenants)
    for owner in expand.tenants(scenario):
        used += (owner.spec.pages + owner.spec.vmas) // 512 + 8
    if programs is not None:
        used += sum(2 * regions + 8 for regions in programs.regions_by_tenant) * 2
    return min(used, TABLES_MAX) + 16 * (scenario.kernel.handlers + 2 * len(tenants) + 2)


def board_config(
    scenario: Scenario,
    seed: int,
    tenants: list[TenantPlan],
    devices: list[DevicePlan],
    programs: Programs | None,
    records: int,
) -> dict[str, int]:
    """The configuration of the board: counts, pool sizes including magazines, and the values that processes read from the scenario.
    `records`: of all programs together."""
    kernel, iommu, faults = scenario.kernel, scenario.iommu, scenario.faults
    windows = sum(d.params["groups_in_flight"] for d in devices)
    widest = max(d.params["group_pages"] for d in devices)
    if programs is not None:
        widest = max([widest, *programs.group_sizes])
    slack = BATCH_SLACK * (kernel.handlers + len(tenants) + 4)
    open_requests = sum(min(d.credits, d.params["groups_in_flight"] * widest) for d in devices)
    groups = kernel.groups or windows + slack
    max_vmas = max([owner.spec.vmas for owner in expand.tenants(scenario)], default=1) + 16
    if programs is not None:
        max_vmas = max(max_vmas, 2 * programs.max_vmas + 16)
    speed = scenario.trace.speed
    scripted = any(d.params["pattern"] == Pattern.PATTERN_PROGRAM for d in devices)
    if scripted:
        widest = GROUP_MAX
        windows, open_requests = windows + slack, sum(d.credits for d in devices)
        groups = kernel.groups or windows + slack
    private = any(d.workload.private_ratio for d in scenario.device)
    mms = (4 if scripted else 2) * len(tenants) + 8
    mode = QueueMode[f"QUEUES_{kernel.queues.upper()}"]
    queues = {"global": 1, "device": len(devices)}.get(kernel.queues, iommu.units)
    rings = queues + (mms if kernel.queues == "domain" else 0)
    return {
        "devices": len(devices),
        "handlers": kernel.handlers,
        "tenants": len(tenants),
        "prq_records": iommu.prq_records,
        "qi_records": iommu.command_records,
        "max_pasids": iommu.max_pasids,
        "ledger_slots": 512 * _power(widest),
        "max_vmas": max_vmas,
        "work_slots": max(64, _power(4 * groups // rings)),
        "event_records": scenario.system.event_records,
        "mms": mms,
        "faults": kernel.faults or open_requests + iommu.prq_records + slack,
        "groups": groups,
        "handles": sum(len(t.devices) for t in tenants)
        + 16
        + (9 * len(devices) if scripted else 0),
        "tables": _tables(scenario, tenants, programs),
        "generation": int(NUMBERS[kernel.generation]),
        "profile": 0,
        "units": iommu.units,
        "drivers": 1,
        "queue_mode": int(mode),
        "queues": queues,
        "work_rings": rings,
        "options": sum({int(Option[_option(name)]) for name in kernel.options})
        + (int(Option.OPTION_CONTAIN) if scenario.checks.known == "count" else 0)
        + (int(Option.OPTION_PRIVATE_DATA) if private else 0)
        + _EVENTS[scenario.system.events],
        "fault_objects": _fault_objects(tenants),
        "programs": records,
        "major_permille": round(faults.major_ratio * 1000),
        "exponential": int(faults.jitter == "exponential"),
        "pace": 0 if speed == "max" else max(1, round(float(speed) * 1000)),
        "account": int(scenario.checks.account),
        "ref_limit": scenario.checks.ref_limit,
        "minor_ns": faults.minor_ns,
        "major_ns": faults.major_ns,
        "seed": seed,
        "controlled": 0,
        "defects": sum({1 << defect_number(slug) for slug in kernel.defects}),
        "watchdog_ns": round(scenario.system.watchdog_s * 1e9),
    }


def _option(name: str) -> str:
    return "OPTION_" + name.upper().replace("-", "_")


def _fault_objects(tenants: list[TenantPlan]) -> int:
    """Number of fault objects used by the programs."""
    most = 0
    for tenant in tenants:
        for op, _, arg, *_ in RECORD.iter_unpack(tenant.program):
            if op == spec.DO_FAULT_ALLOC:
                most = max(most, arg + 1)
    return most
