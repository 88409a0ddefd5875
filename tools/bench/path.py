# SPDX-License-Identifier: MIT
"""`iopf bench path`: the whole fault path, compared with plain Python on queues."""

from __future__ import annotations

from dataclasses import dataclass

from iopf.tools.bench.baseline import run_baseline
from iopf.tools.bench.harness import (
    Contender,
    Outcome,
    Plan,
    Sample,
    Series,
    Table,
    compared,
    interleave,
    ratio,
)
from iopf.tools.bench.report import duration, rate, times
from iopf.tools.bench.runs import run_system, system

LIST = 64


@dataclass(frozen=True, slots=True)
class Load:
    """A closed loop: number of devices, and groups that each keeps in flight."""

    devices: int
    group_size: int
    window: int
    share: int  # groups per device relative to the plan: small if a fault is slow

    def __str__(self) -> str:
        devices = "device" if self.devices == 1 else "devices"
        return f"{self.devices} {devices}, groups of {self.group_size}, {self.window} in flight"


LOADS = (Load(8, 4, 16, 8), Load(1, 1, 1, 2), Load(32, 4, 16, 32))
HANDLERS = 2


def run(plan: Plan) -> Outcome:
    outcome = Outcome(document={"cases": []})
    for load in LOADS:
        series = interleave(_contenders(load, plan), plan.rounds, f"path, {load}")
        outcome.add_failures(series)
        outcome.tables.append(_table(load, series))
        results = compared(series, "faults_per_s", "round_p50_ns")
        outcome.document["cases"].append({"load": str(load), "results": results})
    return outcome


def _contenders(load: Load, plan: Plan) -> list[Contender]:
    groups = (40_000 if plan.quick else 400_000) // load.share
    few = max(50, groups // 40)  # plain Python is slower by about this factor

    def ours() -> Sample:
        return run_system(system(load.devices, load.group_size, load.window, groups))

    def baseline(batch: int) -> Sample:
        count = few if batch == 1 else 4 * few
        numbers = (load.devices, HANDLERS, load.group_size, load.window, count, batch)
        result = run_baseline(*numbers)
        return {
            "faults": result.faults,
            "seconds": result.seconds,
            "faults_per_s": result.faults / result.seconds,
            "round_p50_ns": result.latency_p50_ns,
            "cpu_s": result.cpu_s,
            "cpu_ns_per_fault": result.cpu_s / result.faults * 1e9,
        }

    return [
        Contender("iopf", ours, ours=True),
        Contender("plain Python, single messages", lambda: baseline(1)),
        Contender(f"plain Python, lists of {LIST}", lambda: baseline(LIST)),
    ]


def _table(load: Load, series: list[Series]) -> Table:
    table = Table(
        f"path: {load}, {HANDLERS} handlers",
        ["", "requests/s", "ours/it", "group p50", "it/ours", "cpu per request"],
    )
    ours = series[0]
    for it in series:
        row = [it.name, it.cell(rate(it.median("faults_per_s")))]
        row.append("" if it is ours else times(ratio(ours, it, "faults_per_s")))
        row.append(duration(it.median("round_p50_ns")))
        row.append("" if it is ours else times(ratio(ours, it, "round_p50_ns", inverse=True)))
        row.append(duration(it.median("cpu_ns_per_fault")))
        table.rows.append(row)
    table.explain(series)
    return table
