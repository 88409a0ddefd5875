# SPDX-License-Identifier: MIT
"""`iopf bench size`: memory and start-up time per device."""

from __future__ import annotations

from iopf.tools.bench.harness import Outcome, Plan, Series, Table, interleave
from iopf.tools.bench.report import duration, size
from iopf.tools.bench.runs import Setting, system

DEVICES = (16, 64, 256)


def run(plan: Plan) -> Outcome:
    settings = [
        Setting(f"{count} devices", system(count, 1, 4, 20), sizes=True) for count in DEVICES
    ]
    series = interleave([each.contender() for each in settings], plan.rounds, "size")
    outcome = Outcome([_table(series)], {"results": [each.document() for each in series]})
    outcome.add_failures(series)
    return outcome


def _table(series: list[Series]) -> Table:
    columns = ["", "memory (PSS)", "a device process", "start", "per device"]
    table = Table("size of a whole system", columns)
    for count, each in zip(DEVICES, series, strict=True):
        # A run that could not read its memory reports 0.
        pss, start = each.median("pss_bytes") or None, each.median("start_s")
        devices = each.median("device_pss_bytes")
        start_ns = None if start is None else start * 1e9
        table.rows.append(
            [
                each.name,
                each.cell(size(pss)),
                size(None if devices is None else devices / count),
                duration(start_ns),
                duration(None if start_ns is None else start_ns / count),
            ]
        )
    table.explain(series)
    return table
