# SPDX-License-Identifier: MIT
"""`iopf bench waiting`: cost of waiting, in system calls and idle processor time."""

from __future__ import annotations

from iopf.tools.bench.harness import Outcome, Plan, Series, Table, interleave
from iopf.tools.bench.report import number, rate
from iopf.tools.bench.runs import Setting, system

IDLE_DEVICES = 64


def run(plan: Plan) -> Outcome:
    groups = 2_000 if plan.quick else 20_000
    busy = [
        Setting("1 device, 1 in flight", system(1, 1, 1, groups)),
        Setting("8 devices, 16 in flight", system(8, 4, 16, groups)),
        Setting("64 devices, 4 in flight", system(64, 4, 4, max(50, groups // 16))),
    ]
    # Each device sends a group about every 100 ms, and sleeps in between.
    beats = 10 if plan.quick else 30
    gaps = ("device.workload.pattern=bursts", "device.workload.burst_groups=1")
    idle = system(IDLE_DEVICES, 1, 1, beats, *gaps, "device.workload.gap_ns=100_000_000")
    settings = [*busy, Setting(f"{IDLE_DEVICES} devices, waiting", idle)]
    series = interleave([each.contender() for each in settings], plan.rounds, "waiting")
    for each in series:
        _add_idle_share(each)
    outcome = Outcome([_table(series)], {"results": [each.document() for each in series]})
    outcome.add_failures(series)
    outcome.failures += [
        f"{each.name}: woken by a timeout with work present"
        for each in series
        if any(sample.get("timeouts_with_work") for sample in each.samples)
    ]
    return outcome


def _add_idle_share(series: Series) -> None:
    """Processor time over wall time, if the run does not report it (1 = one processor)."""
    for sample in series.samples:
        used_s = sample.get("working_cpu_s", sample.get("cpu_s"))
        if "idle_cpu_share" not in sample and used_s is not None and sample.get("seconds"):
            sample["idle_cpu_share"] = used_s / sample["seconds"]


def _table(series: list[Series]) -> Table:
    columns = ["", "requests/s", "sleeps/request", "wakes/request", "yields/request", "cpu share"]
    table = Table("waiting: system calls per request, processors kept busy", columns)
    for each in series:
        row = [each.name, each.cell(rate(each.median("faults_per_s")))]
        for key in ("sleeps_per_fault", "wakes_per_fault", "yields_per_fault", "idle_cpu_share"):
            row.append(number(each.median(key)))
        table.rows.append(row)
    table.explain(series)
    return table
