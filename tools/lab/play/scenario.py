# SPDX-License-Identifier: MIT
"""A scenario file under control: the same system with small tables and short workloads, so that schedules are short.

Limits are lowered, never raised. Programs and short traces run unchanged. Schedules begin at `start` if a program has it, else at the
first step of every tenant, device and driver.
"""

from __future__ import annotations

from typing import Any

from iopf.emulator.scenario.errors import UNSUPPORTED, ScenarioError
from iopf.emulator.scenario.load import Layer
from iopf.emulator.scenario.resolution import Resolved, resolve
from iopf.emulator.spec.program import DO_START
from iopf.emulator.trace.program import RECORD
from iopf.tools.lab.play.system import LabError, processes_of
from iopf.tools.supervisor.plan import SystemPlan, plan_system

DEVICES_MOST = 3  # with workloads; programs name their devices, so those are kept
_GROUPS_MOST = 2  # per workload
_REQUESTS_MOST = 64  # of a trace, which is not cut

_TABLES: dict[str, dict[str, int]] = {
    "iommu": {"prq_records": 128, "command_records": 64, "max_pasids": 128},
    "kernel": {"handlers": 2},
}
_DEVICE = {"credits": 8, "groups_in_flight": 4, "group_pages": 4, "atc_entries": 16}
_TENANT = {"vmas": 2, "pages": 16}
_WORKLOAD = {"pages": 16, "stride_pages": 4, "burst_groups": 2, "interleave": 2}


def scenario_parts(name: str) -> tuple[list[list[str]], dict[str, Any]]:
    """Programs and reduced tables of a shipped scenario or a file, as `build_lab` takes them. Raises ScenarioError."""
    resolved = small(resolve(name))
    plan = plan_system(resolved.scenario, resolved.name, resolved.seed)
    try:
        processes_of(plan)
    except LabError as error:
        raise ScenarioError([f"{name}: {error}"], UNSUPPORTED) from None
    tables = resolved.document()
    del tables["schema"]
    programs = [list(program["ops"]) for program in tables.pop("program", [])]
    return programs, {**tables, "whole": not _says_start(plan)}


def small(resolved: Resolved) -> Resolved:
    """The scenario with reduced limits. Raises ScenarioError if it replays a long trace."""
    document = resolved.document()
    if any(device["workload"]["pattern"] == "replay" for device in document["device"]):
        _stop_if_long(resolved)
        document["trace"]["group_limit"] = min(document["trace"]["group_limit"], _DEVICE["credits"])
    for table, most in _TABLES.items():
        _cut(document[table], most)
    rest = DEVICES_MOST
    for device in document["device"]:
        _cut(device, _DEVICE)
        device["group_pages"] = min(device["group_pages"], device["credits"])
        _cut(device["workload"], _WORKLOAD)
        groups = device["workload"]["groups"]  # 0: no limit
        device["workload"]["groups"] = min(groups or _GROUPS_MOST, _GROUPS_MOST)
        if not document.get("program"):
            device["count"] = max(1, min(device["count"], rest))
            rest -= device["count"]
    for tenant in document["tenant"]:
        _cut(tenant, _TENANT)
    if not document.get("program"):
        document["tenant"] = _used(document)
    made = resolve(None, [], {}, environ={}, made=Layer(resolved.name, document))
    return Resolved(made.scenario, resolved.name, made.values, made.sources, made.notes)


def _stop_if_long(resolved: Resolved) -> None:
    trace = plan_system(resolved.scenario, resolved.name, resolved.seed).trace
    if trace is not None and trace.requests > _REQUESTS_MOST:
        text = f"replays a trace of {trace.requests:,} requests; a controlled run plays at most {_REQUESTS_MOST}"
        raise ScenarioError([f"{resolved.name}: {text}"], UNSUPPORTED)


def _cut(table: dict[str, Any], most: dict[str, int]) -> None:
    for key, value in most.items():
        table[key] = min(table[key], value)


def _used(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Limit the tenants to the number of devices: the rest would be idle."""
    devices = sum(device["count"] for device in document["device"])
    named = any("tenant" in device for device in document["device"])
    return [
        tenant if named else {**tenant, "count": min(tenant["count"], devices)}
        for tenant in document["tenant"]
    ]


def _says_start(plan: SystemPlan) -> bool:
    programs = [each.program for each in plan.tenants]
    programs += [each.program for each in plan.devices]
    programs += [each.program for each in plan.drivers]
    return any(op == DO_START for packed in programs for op, *_ in RECORD.iter_unpack(packed))
