"""`iopf race bench`: how well schedules are searched, over the whole catalogue.

For every race and strategy: in how many trials with different seeds the defect is found within the budget, after how many schedules
and how long; how often the shortest schedule is played again exactly, by fibers and by processes; preemptions before and after
shortening; failures of the fixed variant (there must be none); schedules per second in both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from emulator.sched.catalogue import Race
from emulator.sched.judge import Bug
from tools.lab.players import Players
from tools.lab.races import lab_of
from tools.lab.search import STRATEGIES, Found, search, shortest
from tools.lab.system import Lab

_SEED_STEP = 1_000_003


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: trials per race and strategy, seconds per trial, schedules of the fixed variant, replays."""

    trials: int
    seconds: float
    fixed_schedules: int
    replays: int
    strategies: Sequence[str]


@dataclass(slots=True)
class Search:
    """One strategy on one race."""

    strategy: str
    trials: int
    found: int
    schedules_median: float | None
    schedules_p95: float | None
    schedules_max: int | None
    ms_median: float | None
    ms_p95: float | None
    within_1s: int = 0


@dataclass(slots=True)
class Measured:
    """One race."""

    slug: str
    depth: int
    searches: list[Search] = field(default_factory=list)
    preemptions_found: int | None = None
    preemptions_short: int | None = None
    replays: int = 0
    replays_same: int = 0
    fixed_schedules: int = 0
    false_alarms: int = 0
    fibers_per_second: float = 0.0
    processes_per_second: float = 0.0


def p95(values: Sequence[float]) -> float:
    """The smallest value that 95 of 100 do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-95 * len(ordered) // 100) - 1)]


def measure(races: Iterable[Race], plan: Plan, tell: Callable[[str], None]) -> list[Measured]:
    found = []
    for race in races:
        tell(race.slug)
        measured = Measured(race.slug, race.depth)
        with lab_of(race, defective=True) as lab:
            last = None
            for strategy in plan.strategies:
                search_, found_last = _trials(lab, strategy, plan)
                measured.searches.append(search_)
                last = last or found_last
            if last is not None and last.failure is not None:
                _replays(lab, last, plan, measured)
        with lab_of(race, defective=False) as lab:
            _fixed(lab, plan, measured)
        found.append(measured)
    return found


def _trials(lab: Lab, strategy: str, plan: Plan) -> tuple[Search, Found | None]:
    schedules: list[int] = []
    took: list[float] = []
    last = None
    for trial in range(plan.trials):
        found = search(
            lab, trial * _SEED_STEP, seconds=plan.seconds, most=2**62, plan=STRATEGIES[strategy]
        )
        if found.failure is not None:
            schedules.append(found.schedules)
            took.append(found.seconds * 1000)
            last = last or found
    if not schedules:
        return Search(strategy, plan.trials, 0, None, None, None, None, None), None
    return (
        Search(
            strategy,
            plan.trials,
            len(schedules),
            statistics.median(schedules),
            p95(schedules),
            max(schedules),
            statistics.median(took),
            p95(took),
            sum(ms <= 1000 for ms in took),
        ),
        last,
    )


def _replays(lab: Lab, found: Found, plan: Plan, measured: Measured) -> None:
    assert found.failure is not None
    short = shortest(lab, found.failure)
    measured.preemptions_found, measured.preemptions_short = (
        found.failure.preemptions,
        short.preemptions,
    )
    conductor = lab.conductor
    first = (conductor.replay(short.path), conductor.trace_hash)

    def play() -> None:
        for _ in range(plan.replays):
            measured.replays += 1
            measured.replays_same += (conductor.replay(short.path), conductor.trace_hash) == first

    play()
    with Players(lab):
        play()


def _fixed(lab: Lab, plan: Plan, measured: Measured) -> None:
    measured.fixed_schedules, measured.false_alarms, measured.fibers_per_second = _rate(
        lab, plan.fixed_schedules
    )
    with Players(lab):
        played, alarms, measured.processes_per_second = _rate(lab, plan.fixed_schedules // 20 or 1)
    measured.fixed_schedules += played
    measured.false_alarms += alarms


def _rate(lab: Lab, most: int) -> tuple[int, int, float]:
    """Schedules of the portfolio, how many failed, and how many a second."""
    at = alarms = 0
    began = time.monotonic()
    while at < most:
        bug, at, _ = lab.conductor.explore(STRATEGIES["portfolio"], 7, at, most - at)
        if bug != Bug.BUG_NONE:
            alarms += 1
            at += 1
    return at, alarms, most / (time.monotonic() - began)


def document(measured: Sequence[Measured], plan: Plan) -> dict[str, Any]:
    return {"plan": asdict(plan), "memory": "sc", "races": [asdict(each) for each in measured]}


def table(measured: Sequence[Measured]) -> list[str]:
    """A line for every race by its first strategy, then a line for every strategy, then the rates."""
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
    lines.append("")
    lines.append(f"{'strategy':<12}{'found':>12}{'within 1 s':>12}{'races missed':>14}")
    for number, first in enumerate(measured[0].searches if measured else []):
        own = [each.searches[number] for each in measured]
        trials = sum(search_.trials for search_ in own)
        lines.append(
            f"{first.strategy:<12}{f'{sum(s.found for s in own)}/{trials}':>12}"
            f"{sum(s.within_1s for s in own):>12}{sum(s.found < s.trials for s in own):>14}"
        )
    lines += ["", *_totals(measured)]
    return lines


def _totals(measured: Sequence[Measured]) -> list[str]:
    fibers = statistics.median(each.fibers_per_second for each in measured)
    processes = statistics.median(each.processes_per_second for each in measured)
    same, replays = (
        sum(each.replays_same for each in measured),
        sum(each.replays for each in measured),
    )
    return [
        f"replays     {same} of {replays} the same, by fibers and by processes",
        f"fixed       {sum(e.false_alarms for e in measured)} failures in "
        f"{sum(e.fixed_schedules for e in measured):,} schedules",
        f"median      {fibers:,.0f} schedules/s in fibers, {processes:,.0f} in processes; memory model sc",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
