# SPDX-License-Identifier: MIT
"""Output of `iopf race bench`: a line per race, a line per strategy, and the share of found defects over time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from iopf.emulator.spec.text import counted
from iopf.tools.lab.search.bench import Measured, Plan, Search

BUDGETS_S = (1, 10, 60)
_FROM_MS, _TO_MS = 0.1, 100_000.0
_COLUMNS = 60
BLOCKS, ASCII = " ▁▂▃▄▅▆▇█", " _-~=+x*#"  # from 0 to 100 percent


def within(searches: Sequence[Search], budget_s: float, measured_s: float) -> int | None:
    """Trials that succeeded within a budget; None if they were cut off before it and some had found nothing."""
    if budget_s > measured_s and any(search.found < search.trials for search in searches):
        return None
    return sum(ms <= budget_s * 1000 for search in searches for ms in search.times_ms)


def document(measured: Sequence[Measured], plan: Plan, *, complete: bool = True) -> dict[str, Any]:
    """`complete`: all requested races are included."""
    return {
        "complete": complete,
        "plan": asdict(plan),
        "memory": "tso",
        "races": [asdict(each) for each in measured],
        "strategies": [
            {
                "strategy": strategy,
                "trials": sum(search.trials for search in own),
                "found": sum(search.found for search in own),
                "within_s": {str(b): within(own, b, plan.seconds) for b in BUDGETS_S},
                "races_missed": sum(search.found < search.trials for search in own),
            }
            for strategy, own in _by_strategy(measured, plan)
        ],
    }


def table(measured: Sequence[Measured], plan: Plan, levels: str = BLOCKS) -> list[str]:
    if not measured:
        return ["nothing measured"]
    lines = [
        f"{'race':<40}{'found':>9}{'schedules':>11}{'p95':>7}{'ms':>6}{'p95':>6}"
        f"{'preempt':>8}{'fibers/s':>9}{'procs/s':>8}"
    ]
    for each in measured:
        first = each.searches[0]
        lines.append(
            f"{each.slug:<40}{f'{first.found}/{first.trials}':>9}{_number(first.schedules_median):>11}"
            f"{_number(first.schedules_p95):>7}{_ms(first.ms_median):>6}{_ms(first.ms_p95):>6}"
            f"{_number(each.preemptions_short):>8}{each.fibers_per_second:>9,.0f}"
            f"{each.processes_per_second:>8,.0f}"
        )
    lines += [
        "",
        *_strategies(measured, plan),
        "",
        *plot(measured, plan, levels),
        "",
        *_totals(measured, plan),
    ]
    return lines


def wrong(measured: Sequence[Measured]) -> list[str]:
    """Errors independent of the budget, one per line: failures of a fixed variant, replays that differ. A race that is not found is
    not an error."""
    lines = []
    for each in measured:
        for failed, played, what in (
            (each.false_alarms, each.fixed_schedules, "schedules of the fixed variant fail"),
            (each.run_alarms, each.fixed_runs, "runs of the fixed variant fail"),
            (each.replays - each.replays_same, each.replays, "replays differ"),
        ):
            if failed:
                lines.append(f"{each.slug}: {failed:,} of {played:,} {what}")
    return lines


def _by_strategy(measured: Sequence[Measured], plan: Plan) -> list[tuple[str, list[Search]]]:
    return [
        (strategy, [each.searches[number] for each in measured])
        for number, strategy in enumerate(plan.strategies)
    ]


def _strategies(measured: Sequence[Measured], plan: Plan) -> list[str]:
    heads = "".join(f"{f'in {budget} s':>8}" for budget in BUDGETS_S)
    lines = [f"{'strategy':<12}{'found':>12}{heads}{'races missed':>14}"]
    for strategy, own in _by_strategy(measured, plan):
        trials = sum(search.trials for search in own)
        counts = "".join(f"{_number(within(own, b, plan.seconds)):>8}" for b in BUDGETS_S)
        lines.append(
            f"{strategy:<12}{f'{sum(s.found for s in own)}/{trials}':>12}"
            f"{counts}{sum(s.found < s.trials for s in own):>14}"
        )
    return lines


def plot(measured: Sequence[Measured], plan: Plan, levels: str = BLOCKS) -> list[str]:
    """A row per strategy: the share of successful trials, over time on a logarithmic scale."""
    lines = ["share of trials that have found the defect, over time"]
    for strategy, own in _by_strategy(measured, plan):
        trials = sum(search.trials for search in own)
        times = [ms for search in own for ms in search.times_ms]
        lines.append(
            f"{strategy:<12}|{bars(times, trials, plan.seconds, levels)}| {len(times) / trials:.0%}"
        )
    marks = {round(_column(10.0**power)): text for power, text in _MARKS.items()}
    axis = ""
    for column in range(_COLUMNS):
        if len(axis) <= column:
            axis += marks.get(column, " ")
    return [*lines, f"{'':<13}{axis}"]


_MARKS = {-1: "0.1 ms", 0: "1 ms", 1: "10 ms", 2: "0.1 s", 3: "1 s", 4: "10 s"}


def bars(times_ms: Sequence[float], trials: int, measured_s: float, levels: str = BLOCKS) -> str:
    """A character per column: blank for 0 percent, full only for 100 percent, dots after the end of the trials."""
    text = ""
    for column in range(_COLUMNS):
        until = _FROM_MS * (_TO_MS / _FROM_MS) ** ((column + 1) / _COLUMNS)
        share = sum(ms <= until for ms in times_ms) / trials
        over = until > measured_s * 1000 and until > max(times_ms, default=0.0) and share < 1
        level = len(levels) - 1 if share == 1 else math.ceil(share * (len(levels) - 2))
        text += "." if over else levels[level]
    return text


def _column(ms: float) -> float:
    return math.log(ms / _FROM_MS) / math.log(_TO_MS / _FROM_MS) * _COLUMNS


def _missed(measured: Sequence[Measured], plan: Plan) -> str:
    """The races that the first strategy did not find in every trial."""
    missed = [
        f"{each.slug} ({each.searches[0].found}/{each.searches[0].trials})"
        for each in measured
        if each.searches[0].found < each.searches[0].trials
    ]
    who = f"by {plan.strategies[0]} within {plan.seconds:g} s"
    return f"not found   {who}: {', '.join(missed)}" if missed else f"found       all {who}"


def _totals(measured: Sequence[Measured], plan: Plan) -> list[str]:
    fibers = statistics.median(each.fibers_per_second for each in measured)
    processes = statistics.median(each.processes_per_second for each in measured)
    same, replays = (
        sum(each.replays_same for each in measured),
        sum(each.replays for each in measured),
    )
    lines = [
        _missed(measured, plan),
        f"replays     {same} of {replays} identical, in fibers and in processes",
        f"fixed       {counted(sum(e.false_alarms for e in measured), 'failure')} in "
        f"{counted(sum(e.fixed_schedules for e in measured), 'schedule')}",
        f"median      {fibers:,.0f} schedules/s in fibers, {processes:,.0f} in processes; memory model tso",
    ]
    runs = sum(each.fixed_runs for each in measured)
    if runs:
        failed = sum(each.run_alarms for each in measured)
        lines.insert(
            3, f"            {counted(failed, 'failure')} in {counted(runs, 'uncontrolled run')}"
        )
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 10_000 else f"{value:.0f}"
