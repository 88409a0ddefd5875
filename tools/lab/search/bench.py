# SPDX-License-Identifier: MIT
"""`iopf race bench`: efficiency of the search over the whole catalogue.

Per race and strategy: trials that find the defect within the budget, with schedules and time; exact replays of the minimised schedule,
in fibers and in processes; preemptions before and after minimising; failures of the fixed variant (there must be none); schedules per
second in both modes. `tools/lab/report/bench.py` prints the results. `native` and `noise` are ordinary runs instead of strategies,
measured in the same way; a run counts as a schedule.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from iopf.emulator.races.catalogue import Race
from iopf.emulator.sched.judge import Bug
from iopf.tools.lab.play.native import NATIVE, run_once, search_native
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.minimise import minimise_failure
from iopf.tools.lab.search.search import STRATEGIES, Found, search

_SEED_STEP = 1_000_003


@dataclass(frozen=True, slots=True)
class Plan:
    """Extent: trials per race and strategy, seconds per trial, schedules of the fixed variant, replays."""

    trials: int
    seconds: float
    fixed_schedules: int
    replays: int
    strategies: Sequence[str]


@dataclass(slots=True)
class Search:
    """Result of one strategy on one race."""

    strategy: str
    trials: int
    found: int
    schedules_median: float | None
    schedules_p95: float | None
    schedules_max: int | None
    ms_median: float | None
    ms_p95: float | None
    times_ms: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Measured:
    """Result of one race."""

    slug: str
    depth: int
    searches: list[Search] = field(default_factory=list)
    preemptions_found: int | None = None
    preemptions_short: int | None = None
    replays: int = 0
    replays_same: int = 0
    fixed_schedules: int = 0
    false_alarms: int = 0
    fixed_runs: int = 0
    run_alarms: int = 0
    fibers_per_second: float = 0.0
    processes_per_second: float = 0.0


def p95(values: Sequence[float]) -> float:
    """The smallest value that is at least as large as 95 percent of all."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-95 * len(ordered) // 100) - 1)]


def measure(races: Iterable[Race], plan: Plan, tell: Callable[[str], None]) -> Iterator[Measured]:
    """Measure the races in order; yields each result when it is complete."""
    for race in races:
        tell(race.slug)
        measured = Measured(race.slug, race.depth)
        native = [strategy for strategy in plan.strategies if strategy in NATIVE]
        searched: dict[str, Search] = {}
        with lab_of(race, defective=True) as lab:
            last = None
            for strategy in plan.strategies:
                if strategy not in NATIVE:
                    searched[strategy], found_last = _trials(
                        strategy, plan, _searching(lab, strategy, plan)
                    )
                    last = last or found_last
            if last is not None and last.failure is not None:
                _replays(lab, last, plan, measured)
        with lab_of(race, defective=False) as lab:
            _fixed(lab, plan, measured)
        for strategy in native:
            tell(f"{race.slug}, {strategy}")
            searched[strategy], _ = _trials(strategy, plan, _running(race, strategy, plan))
            _fixed_runs(race, strategy, plan, measured)
        measured.searches = [searched[strategy] for strategy in plan.strategies]
        yield measured


def _searching(lab: Lab, strategy: str, plan: Plan) -> Callable[[int], Found]:
    return lambda seed: search(
        lab, seed, seconds=plan.seconds, most=2**62, plan=STRATEGIES[strategy]
    )


def _running(race: Race, strategy: str, plan: Plan) -> Callable[[int], Found]:
    return lambda seed: search_native(race, seed, seconds=plan.seconds, noise=NATIVE[strategy])


def _trials(strategy: str, plan: Plan, one: Callable[[int], Found]) -> tuple[Search, Found | None]:
    """Run all trials; return the statistics and the first finding."""
    schedules: list[int] = []
    took: list[float] = []
    last = None
    for trial in range(plan.trials):
        found = one(trial * _SEED_STEP)
        if found.what is not None:
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
            took,
        ),
        last,
    )


def _replays(lab: Lab, found: Found, plan: Plan, measured: Measured) -> None:
    assert found.failure is not None
    short = minimise_failure(lab, found.failure)
    measured.preemptions_found, measured.preemptions_short = (
        found.failure.preemptions,
        short.preemptions,
    )
    scheduler = lab.scheduler
    first = (scheduler.replay(short.path), scheduler.trace_hash)

    def play() -> None:
        for _ in range(plan.replays):
            measured.replays += 1
            measured.replays_same += (scheduler.replay(short.path), scheduler.trace_hash) == first

    play()
    with ActorProcesses(lab):
        play()


def _fixed(lab: Lab, plan: Plan, measured: Measured) -> None:
    measured.fixed_schedules, measured.false_alarms, measured.fibers_per_second = _rate(
        lab, plan.fixed_schedules
    )
    with ActorProcesses(lab):
        played, alarms, measured.processes_per_second = _rate(lab, plan.fixed_schedules // 20 or 1)
    measured.fixed_schedules += played
    measured.false_alarms += alarms


def _fixed_runs(race: Race, strategy: str, plan: Plan, measured: Measured) -> None:
    for seed in range(plan.replays):
        failed = run_once(race, seed, defective=False, noise=NATIVE[strategy])
        measured.fixed_runs += 1
        measured.run_alarms += bool(failed)


def _rate(lab: Lab, most: int) -> tuple[int, int, float]:
    """Run schedules of the portfolio; return their number, the failures, and the rate per second."""
    at = alarms = 0
    began = time.monotonic()
    while at < most:
        bug, at, _ = lab.scheduler.explore(STRATEGIES["portfolio"], 7, at, most - at)
        if bug != Bug.BUG_NONE:
            alarms += 1
            at += 1
    return at, alarms, most / (time.monotonic() - began)
