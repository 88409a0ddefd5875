# SPDX-License-Identifier: MIT
"""`iopf bench proposal`: the flow proposed in 2023 compared with the newest kernel, with the same programs.

v7.2 drains when a translation changes: hardware queue, workqueue, fence. The proposal (`gunthorpe`) acknowledges pending requests and
continues; only freeing a domain waits. Each case changes translations as fast as the kernel permits, while devices send requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iopf.tools.bench.harness import (
    Contender,
    ContenderError,
    Outcome,
    Plan,
    Sample,
    Table,
    interleave,
)
from iopf.tools.bench.harness import ratio as ratio_of
from iopf.tools.bench.report import duration, rate, times
from iopf.tools.supervisor.run import run_programs

GENERATIONS = ("v7.2", "gunthorpe")
DEVICES = 4


def _forever(device: int, to: str) -> list[str]:
    """A device that sends continuously, one group at a time."""
    ready = [f"wait-bound d{device} {to}"] if to.startswith("t") else []
    return ["repeat forever", *ready, f"send d{device} {to} pages=4 try", f"await d{device}", "end"]


def _rebind() -> list[list[str]]:
    """Each tenant repeatedly rebinds its device."""
    programs = [_forever(n, f"t{n}") for n in range(DEVICES)]
    for n in range(DEVICES):
        start = [f"map t{n} 64", f"bind d{n} t{n}"]
        programs.append([*start, "repeat forever", f"rebind d{n} t{n} try", "end"])
    return programs


def _replace() -> list[list[str]]:
    """Each VMM has one process that answers faults and one that repeatedly replaces the domain."""
    programs = [_forever(n, f"pasid={900 + n}") for n in range(DEVICES)]
    for n in range(DEVICES):
        server, manager = f"t{DEVICES + n}", f"t{n}"
        serve = f"serve f{n} {server} groups=8 code=success try"
        opened = [f"fault-alloc {server} f{n}", f"{server}: barrier open"]
        programs.append([*opened, "repeat forever", serve, "end"])
        where = f"d{n} {manager} pasid={900 + n} domain=fault fault=f{n}"
        attached = [f"map {manager} 64", f"{manager}: barrier open", f"attach {where}"]
        programs.append([*attached, "repeat forever", f"replace {where} try", "end"])
    return programs


CASES: dict[str, tuple[str, Callable[[], list[list[str]]]]] = {
    "unbind and bind": ("rebind", _rebind),
    "replace a domain": ("replace", _replace),
}


def run(plan: Plan) -> Outcome:
    outcome = Outcome(document={"cases": []})
    columns = ["", *(f"{g}/s" for g in GENERATIONS), "ratio", "round p50", "it", "requests/s", "it"]
    table = Table(f"proposal: changes of translation under load, {DEVICES} devices", columns)
    for name, (verb, programs) in CASES.items():
        contenders = [
            Contender(generation, _measured(programs(), verb, generation, plan), ours=True)
            for generation in GENERATIONS
        ]
        merged, proposed = series = interleave(contenders, plan.rounds, f"proposal, {name}")
        outcome.add_failures(series)
        row = [name, rate(merged.median("changes_per_s")), rate(proposed.median("changes_per_s"))]
        row.append(times(ratio_of(proposed, merged, "changes_per_s")))
        row += [duration(each.median("round_p50_ns")) for each in series]
        row += [rate(each.median("faults_per_s")) for each in series]
        table.rows.append(row)
        table.explain(series)
        document = {"case": name, "results": [each.document() for each in series]}
        ratios = {
            key: ratio_of(proposed, merged, key)
            for key in ("changes_per_s", "faults_per_s", "round_p50_ns")
        }
        outcome.document["cases"].append({**document, "gunthorpe_to_v7.2": ratios})
    table.notes.append("ratio: gunthorpe to v7.2, same round; `it` columns are those of gunthorpe")
    outcome.tables.append(table)
    return outcome


def _measured(
    programs: list[list[str]], verb: str, generation: str, plan: Plan
) -> Callable[[], Sample]:
    tables: dict[str, Any] = {
        "system": {"seed": 1, "duration_s": 0.5 if plan.quick else 2.0, "watchdog_s": 30.0},
        "kernel": {"generation": generation, "handlers": 2},
        "device": [{"count": DEVICES}],
        "tenant": [{"count": 2 * DEVICES}],
    }

    def once() -> Sample:
        result = run_programs(*programs, **tables)
        if result["status"] != 0:
            raise ContenderError("; ".join([result["end_reason"], *result["problems"]]))
        lines = [line for line in result["programs"] if line["text"].startswith(verb)]
        lines += [line for line in result["programs"] if f": {verb} " in line["text"]]
        done = sum(line["runs"] - line["errors"] for line in lines)
        return {
            "changes_per_s": done / result["wall_s"],
            "faults_per_s": result["faults_per_s"],
            "round_p50_ns": float(result["round_p50_ns"]),
        }

    return once
