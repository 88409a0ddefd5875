# SPDX-License-Identifier: MIT
"""The result of a run: final checks, the machine-readable object, and the run directory."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from iopf.emulator.check.account import check_device, check_pools, device_totals, totals
from iopf.emulator.check.coverage import coverage, kernel_warnings, known_violations
from iopf.emulator.check.latency import STAGES, stage_summary
from iopf.emulator.scenario.resolution import Resolved
from iopf.emulator.spec.sites import point_name
from iopf.emulator.spec.text import counted, printable
from iopf.emulator.trace.program import Op, unpack
from iopf.tools.cli.version import package_version
from iopf.tools.configuration import described
from iopf.tools.files import make_private, write_whole
from iopf.tools.status import STOPPED, Status
from iopf.tools.supervisor.monitor import Outcome
from iopf.tools.supervisor.plan import SystemPlan
from iopf.tools.supervisor.programs import failed_lines, failure_text, group_answers, line_results
from iopf.tools.supervisor.system import System
from iopf.tools.supervisor.verdicts import describe

RESULT_SCHEMA = "iopf/1"
# What a run leaves in its directory; a run that reuses one removes them first.
OF_A_RUN = (
    "result.json",
    "scenario.resolved.toml",
    "log.txt",
    "testid.txt",
    "events.bin",
    "status-[0-9]*.json",
    "STOP",
)
_UNSAFE = re.compile(r"[^\w.+-]")
COUNTED = (
    "sleeps",
    "wakes",
    "yields",
    "wait_timeouts",
    "timeouts_with_work",
    "lock_waits",
    "owner_deaths",
    "points",
)


def _at_rest(outcome: Outcome) -> bool:
    """Whether the system ended in order, so that all sums must agree exactly."""
    return outcome.status in (Status.OK, *STOPPED) and "twice" not in outcome.reason


def _problems(
    plan: SystemPlan,
    system: System,
    outcome: Outcome,
    devices: list[dict[str, Any]],
    *,
    warnings_fail: bool,
) -> list[str]:
    problems = [describe(v, system.names) for v in system.snapshot.verdicts()]
    problems += _lost_wakes(system)
    if warnings_fail:
        problems += [
            f"kernel warning: WARN_ON in {function}, {counted(times, 'time')}"
            for function, times in kernel_warnings(system.snapshot.warned()).items()
        ]
    if outcome.status == Status.STUCK:
        problems += _failed_operations(plan, system)
    if not _at_rest(outcome):
        return problems
    for device, spec in zip(devices, plan.devices, strict=True):
        problems += check_device(spec.name, device)
    if outcome.status == Status.OK and not outcome.removals and not outcome.exits:
        problems += _failed_operations(plan, system)
    problems += check_pools(system.snapshot.pools(), system.snapshot.pasids_used())
    return problems


def _lost_wakes(system: System) -> list[str]:
    """Actors that slept until their bound although what they waited for was there, without being rung."""
    return [
        f"lost wake-up: {name} slept at {point_name(actor['lost_site'] << 8).split('/')[0]} although its work was there "
        f"({actor['timeouts_with_work']} in all)"
        for name, actor in zip(system.names, system.snapshot.actors(), strict=True)
        if actor["timeouts_with_work"]
    ]


def _failed_operations(plan: SystemPlan, system: System) -> list[str]:
    """Operations that the kernel refused in an undisturbed run."""
    if plan.compiled is not None:
        return [failure_text(each) for each in failed_lines(line_results(plan, system.snapshot))]
    problems = []
    for child in system.children:
        if child.role != "tenant":
            continue
        failures, errno, place = system.snapshot.actor(child.slot)["work"][:3]
        if failures:
            record = unpack(plan.tenants[child.index].program)[place]
            what = f"operation {place} ({Op(record.op).name.lower()}) failed: {os.strerror(errno)}"
            problems.append(f"tenant {child.name}: {what}; {failures} failed in total")
    return problems


def _by_role(actors: list[dict[str, Any]], system: System) -> dict[str, dict[str, int]]:
    """Wait counters and CPU time (ns) by role."""
    names = {0: "supervisor", **{child.slot: child.role for child in system.children}}
    out: dict[str, dict[str, int]] = {}
    for actor in actors:
        role = out.setdefault(
            names[actor["slot"]], {"processes": 0, "cpu_ns": 0, **dict.fromkeys(COUNTED, 0)}
        )
        role["processes"] += 1
        role["cpu_ns"] += actor["work"][7]
        for key in COUNTED:
            role[key] += actor[key]
    return out


def build_result(
    resolved: Resolved, plan: SystemPlan, system: System, outcome: Outcome
) -> dict[str, Any]:
    """Read the board a last time. Keys are stable within schema ``iopf/1``; names of times include the unit."""
    snapshot = system.snapshot
    devices = snapshot.devices()
    total = totals(devices)
    warnings_fail = resolved.scenario.checks.warnings == "fail"
    problems = _problems(plan, system, outcome, devices, warnings_fail=warnings_fail)
    status, reason = outcome.status, outcome.reason
    if status in (Status.OK, *STOPPED) and problems:
        status, reason = Status.FAILED, "a check failed"
    roles = _by_role(snapshot.actors(), system)
    faults = total.answered
    stages = {name: stage_summary(snapshot.stage(i)) for i, name in enumerate(STAGES)}
    round_trip = stages["round trip"]
    sides = {
        key: {name: sum(d[key][name] for d in devices) for name in devices[0][key]}
        for key in ("device", "hardware", "kernel")
    }
    result: dict[str, Any] = {
        "type": "run",
        "schema": RESULT_SCHEMA,
        "name": plan.name,
        "seed": resolved.seed,
        "version": package_version(),
        "status": int(status),
        "verdict": "PASS" if status == Status.OK else Status(status).name,
        "end_reason": reason,
        "problems": problems,
        "wall_s": round(outcome.wall_s, 6),
        "start_s": round(system.start_s, 6),
        "generation": resolved.scenario.kernel.generation,
        "devices": len(plan.devices),
        "handlers": plan.config["handlers"],
        "tenants": len(plan.tenants),
        "configuration": described(msgspec.to_builtins(resolved.scenario)),
        "seconds": round(outcome.wall_s, 6),
        "faults": faults,
        "faults_per_s": round(faults / outcome.wall_s, 1) if outcome.wall_s else 0,
        "round_p50_ns": round_trip["p50_ns"],
        "round_p99_ns": round_trip["p99_ns"],
        "account": {
            **asdict(total),
            "answered": total.answered,
            "lost_total": total.lost_total,
            "in_flight": total.in_flight,
        },
        "sides": sides,
        "iommu": snapshot.iommu(),
        "stages": stages,
        "roles": roles,
        "syscalls": {
            key: sum(role[key] for role in roles.values()) for key in ("sleeps", "wakes", "yields")
        },
        "timeouts_with_work": sum(role["timeouts_with_work"] for role in roles.values()),
        "pools": snapshot.pools(),
        "removals": [d.line() for d in outcome.removals],
        "exits": [d.line() for d in outcome.exits],
        "crash": outcome.crash.line() if outcome.crash else None,
        "dump": outcome.dump,
        "per_device": [
            {"name": spec.name, **d, "account": asdict(device_totals(d))}
            for spec, d in zip(plan.devices, devices, strict=True)
        ],
    }
    generation = resolved.scenario.kernel.generation
    events = snapshot.reached()
    reached = coverage(generation, events, sides["kernel"])
    result["fates"] = {each.cell.event: each.times for each in reached}
    result["known"] = known_violations(generation, reached, events, sides["kernel"])
    result["warnings"] = kernel_warnings(snapshot.warned())
    if plan.compiled is not None:
        result["programs"] = line_results(plan, system.snapshot)
        result["answers"] = group_answers(plan, system.snapshot)
    if plan.trace is not None:
        result["trace"] = trace_result(plan)
    return result


def trace_result(plan: SystemPlan) -> dict[str, Any]:
    trace, programs = plan.trace, plan.programs
    assert trace is not None
    assert programs is not None
    return {
        "sources": trace.sources,
        "lines": trace.lines,
        "faults": trace.faults,
        "requests": programs.requests,
        "groups": programs.groups,
        "processes": len(trace.tenants),
        "address_spaces": programs.mms,
        "implicit_mappings": trace.implicit_mappings,
        "forbidden_faults": trace.forbidden_faults,
        "unmapped_faults": trace.unmapped_faults,
        "open_groups": trace.open_groups,
        "skipped": {reason: skip.count for reason, skip in trace.skipped.items()},
        "duration_ns": trace.duration_ns,
    }


def _remove_files(directory: Path) -> None:
    """Remove the files of a run; others in the directory stay."""
    for pattern in OF_A_RUN:
        for stale in directory.glob(pattern):
            stale.unlink(missing_ok=True)


class RunDirectory:
    """The files of a run. Created before the run, so that an unwritable directory is reported at once."""

    def __init__(self, path: Path, resolved: Resolved, made: bool) -> None:
        self.path, self._resolved, self._made = path, resolved, made

    @classmethod
    def create(cls, wanted: str | None, resolved: Resolved, name: str) -> RunDirectory:
        """Raises OSError if the directory cannot be created or written."""
        if wanted is None:
            stamp = time.strftime("%Y.%m.%d-%H.%M.%S")
            short = Path(name).name.removesuffix(".toml")  # of a scenario file
            base = Path("iopf-runs") / f"{stamp}-{_UNSAFE.sub('_', short)[:64]}"
            path, n = base, 1
            while path.exists():
                n += 1
                path = base.with_name(f"{base.name}-{n}")
        else:
            path = Path(wanted)
        made = not path.exists()
        make_private(path)
        _remove_files(path)
        write_whole(path / "scenario.resolved.toml", resolved.to_toml())
        return cls(path, resolved, made)

    def discard(self) -> None:
        """Remove what was written when the run did not start: the directory, or in one that existed its files."""
        if self._made:
            shutil.rmtree(self.path)
        else:
            _remove_files(self.path)

    def write(self, result: dict[str, Any], log: list[str]) -> None:
        """Raises OSError with the name of the file that cannot be written."""
        write_whole(self.path / "result.json", json.dumps(result, indent=1) + "\n")
        write_whole(self.path / "log.txt", "".join(f"{line}\n" for line in log))
        facts = {
            "version": package_version(),
            "argv": printable(" ".join(sys.argv)),
            "python": sys.version.split()[0],
            "machine": " ".join(platform.uname()),
            "seed": str(result["seed"]),
        }
        write_whole(
            self.path / "testid.txt", "".join(f"{key}: {value}\n" for key, value in facts.items())
        )
