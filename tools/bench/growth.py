# SPDX-License-Identifier: MIT
"""`iopf bench growth`: cost of a fault as the system grows."""

from __future__ import annotations

from iopf.tools.bench.harness import Outcome, Plan, Series, Table, interleave
from iopf.tools.bench.report import duration, rate, times
from iopf.tools.bench.runs import Setting, system

DEVICES = (1, 4, 16, 64, 256)
OPEN_GROUPS = (1, 8, 64, 512)
VMAS = (10, 100, 1000, 10_000)


def run(plan: Plan) -> Outcome:
    faults = 40_000 if plan.quick else 400_000
    sweeps = {
        "devices": [_devices(count, faults) for count in DEVICES],
        "open groups of one device": [_open_groups(count, faults) for count in OPEN_GROUPS],
        "areas of the address space": [_vmas(count, faults) for count in VMAS],
    }
    outcome = Outcome(document={"sweeps": []})
    for title, settings in sweeps.items():
        contenders = [setting.contender() for setting in settings]
        series = interleave(contenders, plan.rounds, f"growth, {title}")
        outcome.add_failures(series)
        outcome.tables.append(_table(title, series))
        results = [each.document() for each in series]
        outcome.document["sweeps"].append({"of": title, "results": results})
    return outcome


def _devices(count: int, faults: int) -> Setting:
    groups = max(20, faults // 4 // count)
    # With 256 devices, groups of 4 and 8 in flight exceed the largest queue.
    return Setting(f"{count} devices", system(count, 4, 4, groups))


def _open_groups(count: int, faults: int) -> Setting:
    # Lists grow with partial groups, so groups have two pages and stay open for a while.
    return Setting(f"{count} open groups", system(1, 2, count, max(count, faults // 2)))


def _vmas(count: int, faults: int) -> Setting:
    return Setting(f"{count} areas", system(4, 4, 8, faults // 16, f"tenant.vmas={count}"))


def _table(title: str, series: list[Series]) -> Table:
    columns = [
        title,
        "requests/s",
        "time per request",
        "to the first",
        "cpu per request",
        "group p99",
    ]
    table = Table(f"growth with the number of {title}", columns)
    first = series[0].median("ns_per_fault")
    for each in series:
        per_fault = each.median("ns_per_fault")
        table.rows.append(
            [
                each.name,
                each.cell(rate(each.median("faults_per_s"))),
                duration(per_fault),
                times(per_fault / first) if per_fault and first else "-",
                duration(each.median("cpu_ns_per_fault")),
                duration(each.median("round_p99_ns")),
            ]
        )
    table.explain(series)
    return table
