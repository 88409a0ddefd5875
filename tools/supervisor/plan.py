# SPDX-License-Identifier: MIT
"""From a checked scenario to the plan of a board: sizes, programs, and the parameters of every process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from iopf.device_procs.workload import Pattern
from iopf.emulator.program.compile import Compiled
from iopf.emulator.scenario import crosscheck, expand
from iopf.emulator.scenario.schema import Scenario
from iopf.emulator.spec import program as spec
from iopf.emulator.spec.text import printable
from iopf.emulator.trace.address_space import TooMuchWork
from iopf.emulator.trace.plan import Limits, TracePlan, build_plan
from iopf.emulator.trace.program import RECORD, RECORD_BYTES, Op, Record, pack, unpack
from iopf.emulator.trace.replay import Programs, build_programs
from iopf.emulator.trace.source import TraceError
from iopf.tools.supervisor import fit
from iopf.tools.supervisor.sizes import board_config


@dataclass(slots=True)
class TenantPlan:
    """A tenant process: its program (packed records) and the devices that it binds."""

    name: str
    program: bytes
    devices: list[int]
    first: int = 0

    @property
    def count(self) -> int:
        return len(self.program) // RECORD_BYTES


@dataclass(slots=True)
class DevicePlan:
    """A device process: its PRI parameters, and its workload as `iopf.device_procs.engine.prepare` takes it."""

    name: str
    credits: int
    stop_marker: bool
    max_pasids: int
    release_identity: bool
    dtlb_extra_inval: bool
    params: dict[str, Any]
    program: bytes = b""


@dataclass(slots=True)
class DriverPlan:
    """A driver process (k0, k1 ...) and its program."""

    index: int
    program: bytes
    first: int = 0

    @property
    def count(self) -> int:
        return len(self.program) // RECORD_BYTES


@dataclass(slots=True)
class SystemPlan:
    """Everything that the supervisor needs to build a system."""

    name: str
    config: dict[str, int]
    tenants: list[TenantPlan]
    devices: list[DevicePlan]
    trace: TracePlan | None = None
    programs: Programs | None = None
    drivers: list[DriverPlan] = field(default_factory=list)
    compiled: Compiled | None = None
    barriers: list[set[tuple[str, int]]] = field(default_factory=list)


def plan_system(
    scenario: Scenario, name: str, seed: int, progress: Callable[[str], None] | None = None
) -> SystemPlan:
    """Read the traces, build the programs, size the pools. `progress` is called with the state while that takes long. Raises TraceError,
    ArenaError."""
    instances = expand.devices(scenario)
    replaying = [i for i, d in enumerate(instances) if d.spec.workload.pattern == "replay"]
    trace: TracePlan | None = None
    programs: Programs | None = None
    if replaying:
        trace = build_plan(
            scenario.trace.files,
            lenient=scenario.trace.lenient,
            limits=Limits(events=scenario.trace.max_events),
            progress=progress,
        )
        try:
            programs = build_programs(trace, len(replaying), scenario.trace.group_limit)
        except TooMuchWork as error:
            raise TraceError(", ".join(trace.sources), None, str(error), "cut the trace") from None
        fit.check_groups(programs.needs, [instances[i] for i in replaying])
        for mm in (mm for tenant in trace.tenants for mm in tenant.mms):
            mm.steps.clear()  # the programs have them; the counts stay
    devices = [_device(scenario, i, d, seed) for i, d in enumerate(instances)]
    compiled = crosscheck.compiled(scenario) if scenario.program else None
    tenants = _synthetic_tenants(scenario, instances, devices, compiled)
    drivers = _add_programs(compiled, devices, tenants) if compiled is not None else []
    if trace is not None and programs is not None:
        fit.check_tenants(trace, len(tenants))
        _add_replay(trace, programs, replaying, devices, tenants)
    at = 0
    for tenant in tenants:
        tenant.first = at
        at += tenant.count
    for device in devices:
        device.params["program"] = at
        device.params["program_count"] = len(device.program) // RECORD_BYTES
        at += device.params["program_count"]
    for driver in drivers:
        driver.first = at
        at += driver.count
    config = board_config(scenario, seed, tenants, devices, programs, at)
    config["drivers"] = 1 + max((d.index + 1 for d in drivers), default=0)
    fit.check_board(scenario, config)
    plan = SystemPlan(name, config, tenants, devices, trace, programs, drivers, compiled)
    plan.barriers = _meetings(plan)
    return plan


def _add_programs(
    compiled: Compiled, devices: list[DevicePlan], tenants: list[TenantPlan]
) -> list[DriverPlan]:
    """Replace the default behaviour of tenants and devices by their programs; return the drivers."""
    for index, program in compiled.tenants.items():
        tenants[index].program = program
        tenants[index].devices = sorted(compiled.bound.get(index, set()))
    for index, program in compiled.devices.items():
        devices[index].program = program
        devices[index].params["pattern"] = int(Pattern.PATTERN_PROGRAM)
    return [DriverPlan(index, program) for index, program in sorted(compiled.drivers.items())]


def _meetings(plan: SystemPlan) -> list[set[tuple[str, int]]]:
    """Per barrier the actors (role, index) whose programs use it."""
    if plan.compiled is None:
        return []
    found: list[set[tuple[str, int]]] = [set() for _ in plan.compiled.barriers]
    actors = [("tenant", i, t.program) for i, t in enumerate(plan.tenants)]
    actors += [("device", i, d.program) for i, d in enumerate(plan.devices)]
    actors += [("driver", d.index + 1, d.program) for d in plan.drivers]
    for role, index, program in actors:
        for op, _, arg, *_ in RECORD.iter_unpack(program):
            if op == spec.DO_BARRIER:
                found[arg].add((role, index))
    return found


def _device(scenario: Scenario, index: int, d: expand.DeviceInstance, seed: int) -> DevicePlan:
    spec, work = d.spec, d.spec.workload
    params = {
        "groups_in_flight": spec.groups_in_flight,
        "atc_entries": 1 << (spec.atc_entries - 1).bit_length(),
        "max_retries": spec.max_retries,
        "tenant": 0,
        "ready_epoch": 0,
        "pattern": int(Pattern[f"PATTERN_{work.pattern.upper()}"]),
        "group_pages": spec.group_pages,
        "groups": work.groups,
        "pages": work.pages,
        "vma_pages": 1,
        "stride_pages": work.stride_pages,
        "burst_groups": work.burst_groups,
        "gap_ns": work.gap_ns,
        "zipf_s": work.zipf_s,
        "write_permille": round(work.write_ratio * 1000),
        "exec_permille": round(work.exec_ratio * 1000),
        "invalid_permille": round(scenario.faults.invalid_ratio * 1000),
        "always": work.requests == "always",
        "interleave": work.interleave,
        "private_permille": round(work.private_ratio * 1000),
        "seed": (seed * 0x9E3779B97F4A7C15 + (index + 1) * 0xBF58476D1CE4E5B9) % 2**64 or 1,
        "start_page": 0,
    }
    limit = spec.max_pasids or scenario.iommu.max_pasids
    identity = spec.release_domain == "identity"
    return DevicePlan(
        d.name,
        spec.credits,
        spec.stop == "marker",
        limit,
        identity,
        spec.dtlb_extra_inval,
        params,
    )


def _synthetic_tenants(
    scenario: Scenario,
    instances: list[expand.DeviceInstance],
    devices: list[DevicePlan],
    compiled: Compiled | None,
) -> list[TenantPlan]:
    """Tenants of the scenario that serve a device with a synthetic workload; with programs, all of them, because programs refer to
    them by number."""
    owners = expand.tenants(scenario)
    served: dict[int, list[int]] = {}
    if compiled is not None:
        served = {t: [] for t in range(len(owners))}
    turn = 0
    for i, device in enumerate(instances):
        scripted = compiled is not None and i in compiled.devices
        if device.spec.workload.pattern == "replay" or scripted:
            continue
        able = [
            t
            for t, owner in enumerate(owners)
            if (compiled is None or t not in compiled.tenants)
            and expand.binds(owner, device)
            and (device.spec.tenant is None or expand.answers_to(owner, device.spec.tenant))
        ]
        served.setdefault(able[turn % len(able)], []).append(i)
        turn += 1
    tenants: list[TenantPlan] = []
    for t, mine in sorted(served.items()):
        owner = owners[t]
        vma_pages = owner.spec.pages // owner.spec.vmas
        program = _synthetic_program(owner.spec.vmas, vma_pages, mine)
        index = len(tenants)
        tenants.append(TenantPlan(owner.name, program, mine))
        for position, i in enumerate(mine):
            params = devices[i].params
            params["tenant"] = index
            params["vma_pages"] = vma_pages
            params["pages"] = min(params["pages"], vma_pages * owner.spec.vmas)
            params["ready_epoch"] = len(program) // RECORD_BYTES - 2
            params["start_page"] = position * params["pages"] // len(mine)
    return tenants


def _synthetic_program(vmas: int, vma_pages: int, devices: list[int]) -> bytes:
    """New mm, its mappings (one page apart, so that they are not merged), bind, wait for the work, exit."""
    from iopf.device_procs.workload import Synthetic

    base = int(Synthetic.SYNTH_BASE)
    records = [Record(Op.NEW_MM)]
    for i in range(vmas):
        start = base + i * (vma_pages + 1) * 4096
        records.append(Record(Op.MAP, a=start, b=start + vma_pages * 4096, arg=0x207))
    records += [Record(Op.BIND, arg=device) for device in devices]
    records += [Record(Op.WAIT_DEVICES), Record(Op.EXIT)]
    return pack(records)


def _add_replay(
    trace: TracePlan,
    programs: Programs,
    replaying: list[int],
    devices: list[DevicePlan],
    tenants: list[TenantPlan],
) -> None:
    """Append the trace's tenants, with tenant and device numbers shifted to those of the board."""
    offset = len(tenants)
    for plan, program in zip(trace.tenants, programs.tenants, strict=True):
        moved, bound = [], set()
        for record in unpack(program):
            arg = record.arg
            if record.op in (Op.BIND, Op.UNBIND):
                arg = replaying[arg]
                bound.add(arg)
            elif record.op == Op.FORK:
                arg += offset
            moved.append(record._replace(arg=arg))
        name = printable(f"{plan.comm}-{plan.pid}")
        tenants.append(TenantPlan(name, pack(moved), sorted(bound)))
    for number, program in zip(replaying, programs.devices, strict=True):
        shifted = (r._replace(arg=r.arg + offset) for r in unpack(program))
        devices[number].program = pack(shifted) if offset else program


def wait_policy(processes: int) -> tuple[int, int]:
    """(pauses, yields) before a waiter sleeps, depending on the cores of this run.

    With a core per process a long pause costs nothing; with fewer cores it starves the process that is waited for.
    """
    cores = len(os.sched_getaffinity(0))
    return (2000, 64) if cores >= processes else (4, 32)
