# SPDX-License-Identifier: MIT
"""Whole systems as contenders: a scenario given as settings, run once, with the numbers of its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iopf.tools.bench.harness import Contender, ContenderError, Sample

# Values of a result that are reported, and their paths.
TAKEN = {
    "faults": ("faults",),
    "seconds": ("seconds",),
    "faults_per_s": ("faults_per_s",),
    "round_p50_ns": ("round_p50_ns",),
    "round_p99_ns": ("round_p99_ns",),
    "cpu_s": ("cpu_s",),
    "start_s": ("start_s",),
    "pss_bytes": ("pss_bytes",),
    "device_pss_bytes": ("pss_by_role", "device"),
    "idle_cpu_share": ("idle_cpu_share",),
    "sleeps": ("syscalls", "sleeps"),
    "wakes": ("syscalls", "wakes"),
    "yields": ("syscalls", "yields"),
    "timeouts_with_work": ("timeouts_with_work",),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One system: its title, and its values as `--set` takes them."""

    name: str
    sets: tuple[str, ...]
    sizes: bool = False

    def contender(self) -> Contender:
        return Contender(self.name, lambda: run_system(self.sets, self.sizes), ours=True)


def system(
    devices: int, group_pages: int, groups_in_flight: int, groups: int, *more: str
) -> tuple[str, ...]:
    """The settings shared by most benchmarks: every group is a page request, in page order.

    The queue is large enough for all outstanding requests, since overflow is not measured here.
    """
    outstanding = group_pages * groups_in_flight
    records = 128
    while records <= devices * outstanding and records < 16384:
        records *= 2
    return (
        "system.seed=1",
        "system.watchdog_s=30",
        f"device.count={devices}",
        f"device.group_pages={group_pages}",
        f"device.groups_in_flight={groups_in_flight}",
        f"device.credits={outstanding}",
        "device.workload.requests=always",
        f"device.workload.groups={groups}",
        f"iommu.prq_records={records}",
        "kernel.handlers=2",
        *more,
    )


def run_system(sets: Sequence[str], sizes: bool = False) -> Sample:
    """Run a system and return its numbers, with its memory if ``sizes``. Raises ContenderError unless the verdict is PASS."""
    from iopf.emulator.scenario.errors import ScenarioError
    from iopf.emulator.scenario.resolution import resolve
    from iopf.emulator.trace.source import TraceError
    from iopf.shm.objects import ArenaError
    from iopf.tools.supervisor.run import measure

    try:
        # Without the user's defaults, so that results of different users are comparable.
        result = measure(resolve(None, list(sets), {}, environ={}), sizes=sizes)
    except (ScenarioError, TraceError, ArenaError) as error:
        raise ContenderError(str(error)) from error
    if result.get("status", 0) != 0:
        reasons = [str(result.get("end_reason")), *map(str, result.get("problems", []))]
        raise ContenderError("; ".join(reasons))
    return _sample(result)


def _sample(result: dict[str, Any]) -> Sample:
    sample: Sample = {}
    for name, path in TAKEN.items():
        value: Any = result
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            sample[name] = float(value)
    for name, stage in result.get("stages", {}).items():
        if stage["count"]:
            sample[f"{name.replace(' ', '_')}_p50_ns"] = float(stage["p50_ns"])
    account = result.get("account", {})
    if account.get("sent"):
        lost = account["lost"].get("overflow", 0) + account["auto_success"]
        sample["overflow_permille"] = lost / account["sent"] * 1000
    roles = result.get("roles")
    if isinstance(roles, dict):
        # CPU time after the start; `cpu_s` includes it.
        sample["working_cpu_s"] = sum(role.get("cpu_ns", 0) for role in roles.values()) / 1e9
    faults = sample.get("faults")
    if faults:
        sample["ns_per_fault"] = sample["seconds"] / faults * 1e9
        if "cpu_s" in sample:
            sample["cpu_ns_per_fault"] = sample["cpu_s"] / faults * 1e9
        for name in ("sleeps", "wakes", "yields"):
            if name in sample:
                sample[f"{name}_per_fault"] = sample[name] / faults
    return sample
