# SPDX-License-Identifier: MIT
"""`iopf bench kernel`: options that reviewers asked for, compared with the kernel's behaviour.

Each option is measured against the default under the same load in the same round. A closed loop shows throughput and latency; a load
whose requests exceed the queue shows how often it overflows. Every page costs a page fault of 2 us, some of them 200 us, because
options that move work elsewhere only matter if there is work.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from iopf.tools.bench.harness import (
    Contender,
    Outcome,
    Plan,
    Sample,
    Series,
    Table,
    interleave,
    ratio,
)
from iopf.tools.bench.report import duration, number, rate, times
from iopf.tools.bench.runs import run_system, system

STAGES = {"hardware queue": "queue", "work queue": "work", "mm fault": "mm"}
# Enough pages that no device accesses a page again.
PAGES = 1 << 19
WORK = (
    "faults.minor_ns=2000",
    "faults.major_ns=200000",
    "faults.major_ratio=0.002",
    f"tenant.pages={PAGES}",
    f"device.workload.pages={PAGES}",
)


@dataclass(frozen=True, slots=True)
class Load:
    """The behaviour of devices in the comparison, and the options that matter for it."""

    name: str
    sets: tuple[str, ...]
    options: tuple[str, ...]


def _loads(plan: Plan) -> tuple[Load, ...]:
    some = 5_000 if plan.quick else 40_000
    crowd = system(32, 4, 16, some // 16, "iommu.prq_records=256", *WORK)
    return (
        Load(
            "8 devices, groups of 4, 16 in flight",
            system(8, 4, 16, some // 4, *WORK),
            ("sync", "eager", "group-lists", "highpri"),
        ),
        Load(
            "32 devices, a queue of 255 records for 2,048 requests",
            crowd,
            ("sync", "eager", "group-lists", "highpri"),
        ),
        Load("1 device, 32 groups outstanding, sent in turn", _in_turn(32, some), ("group-lists",)),
        Load(
            "1 device, 512 groups outstanding, sent in turn", _in_turn(512, some), ("group-lists",)
        ),
        Load(
            "8 devices with 16 credits, half of the requests with private data",
            system(
                8,
                4,
                16,
                some // 4,
                "device.credits=16",
                "device.workload.private_ratio=0.5",
                *WORK,
            ),
            ("early-private",),
        ),
    )


def _in_turn(groups: int, some: int) -> tuple[str, ...]:
    # 511, because a group index must be free for the next one; nothing else should take time.
    open_at_once = min(groups, 511)
    in_turn = f"device.workload.interleave={open_at_once}"
    return system(1, 4, open_at_once, some, in_turn, "iommu.prq_records=4096")


def run(plan: Plan) -> Outcome:
    outcome = Outcome(document={"cases": []})
    for load in _loads(plan):
        series = interleave(_contenders(load), plan.rounds, f"kernel, {load.name}")
        outcome.add_failures(series)
        outcome.tables.append(_table(load, series))
        results = [_document(series[0], each) for each in series]
        outcome.document["cases"].append({"load": load.name, "results": results})
    return outcome


def _contenders(load: Load) -> list[Contender]:
    found = [Contender("default", _measured(load, "[]"), ours=True)]
    for option in load.options:
        absent = _may_not_raise() if option == "highpri" else ""
        found.append(Contender(option, _measured(load, f'["{option}"]'), absent, ours=not absent))
    return found


def _measured(load: Load, options: str) -> Callable[[], Sample]:
    return lambda: run_system((*load.sets, f"kernel.options={options}"))


def _may_not_raise() -> str:
    """The reason why this user cannot have high-priority handlers, or an empty string."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NICE)
    return "" if os.geteuid() == 0 or soft >= 40 else "not permitted"


def _document(default: Series, each: Series) -> dict[str, object]:
    document: dict[str, object] = {**each.document(), "ours": True}
    if each is not default:
        document["to_default"] = {
            key: ratio(each, default, key)
            for key in ("faults_per_s", "round_p50_ns", "round_p99_ns", "cpu_ns_per_fault")
        }
    return document


def _table(load: Load, series: Sequence[Series]) -> Table:
    columns = ["", "requests/s", "ratio", "cpu/request", *STAGES.values()]
    table = Table(f"kernel: {load.name}", [*columns, "round p50", "p99", "overflow"])
    default = series[0]
    for each in series:
        row = [each.name, each.cell(rate(each.median("faults_per_s")))]
        row.append("" if each is default else times(ratio(each, default, "faults_per_s")))
        row.append(duration(each.median("cpu_ns_per_fault")))
        row += [duration(each.median(f"{name.replace(' ', '_')}_p50_ns")) for name in STAGES]
        row += [duration(each.median("round_p50_ns")), duration(each.median("round_p99_ns"))]
        row.append(number(each.median("overflow_permille")))
        table.rows.append(row)
    table.notes.append(
        "ratio: to the default, same round; queue, work, mm: p50 of the stage; overflow: lost per 1,000"
    )
    table.explain(series)
    return table
