# SPDX-License-Identifier: MIT
"""`iopf race bench --rates`: schedules per second, and the cost of a disabled scheduling point.

    control itself     three actors with twenty empty points each, as fibers and as processes on one core
    the catalogue      the fixed variant of every race, with the portfolio; the median over the races
    a disabled point   the ring with its points, alternating with the same code compiled without them

Points are measured in CPU time with both ends of the ring in one process: between two processes, the rate of the ring varies by more
than the measured difference. The difference is also given as a share of the time per record between two processes.
"""

from __future__ import annotations

import mmap
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from iopf.cython_ext import ring_bench, ring_bench_bare
from iopf.cython_ext.memory import Memory
from iopf.emulator.races.catalogue import Race
from iopf.emulator.sched.judge import Bug
from iopf.tools.bench.queues import move_ring
from iopf.tools.lab.play.points import PointsLab
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.search import STRATEGIES

_ROOM = 256
_BATCH = 64
_FIRST = 50  # warm-up schedules
_POINTS = 4  # per record that passes the ring alone

Tell = Callable[[str], None]


class RateError(Exception):
    """A measurement is invalid: a schedule failed or a record was lost."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Rounds per figure, seconds per round, turns of the ring, and records per turn."""

    rounds: int = 7
    seconds: float = 0.3
    turns: int = 41
    records: int = 1 << 19


QUICK = Effort(3, 0.05, 9, 1 << 16)


@dataclass(slots=True)
class Figure:
    """A number and its goal: a minimum, or a maximum if `most`. None: no goal."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    most: bool = False
    samples: list[float] = field(default_factory=list)

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value <= self.goal if self.most else self.value >= self.goal

    def verdict(self) -> str:
        if self.goal is None or self.met:
            return "" if self.goal is None else "met"
        if self.most:
            return f"missed by {self.value - self.goal:.1f} points"
        return f"missed by {1 - self.value / self.goal:.0%}"


def rates(races: Iterable[Race], effort: Effort, tell: Tell) -> list[Figure]:
    """Measure all figures. Raises RateError, and what building a lab raises."""
    return [*_control(effort, tell), *_catalogue(races, effort, tell), *_points(effort, tell)]


def _per_second(lab: Lab | PointsLab, strategy: str, seconds: float) -> float:
    """Schedules per second, after a warm-up that touches every page."""

    def play(first: int, most: int) -> int:
        bug, at, _ = lab.scheduler.explore(STRATEGIES[strategy], 1, first, most)
        if bug != Bug.BUG_NONE:
            raise RateError(f"schedule {at} of {strategy} fails: {bug.name}")
        return int(at)

    at = before = play(0, _FIRST)
    batch, took, began = _FIRST, 0.0, time.monotonic()
    while took <= seconds:
        at = play(at, batch)
        took = time.monotonic() - began
        if took < seconds / 10:
            batch *= 2
    return (at - before) / took


def _control(effort: Effort, tell: Tell) -> list[Figure]:
    figures = []
    with PointsLab() as lab:

        def measure(name: str, strategy: str, goal: float) -> None:
            tell(name)
            got = [_per_second(lab, strategy, effort.seconds) for _ in range(effort.rounds)]
            if (len(lab.scheduler.path), lab.steps_made()) != (lab.steps, lab.points):
                raise RateError(f"{name}: a schedule does not have {lab.steps} steps")
            figures.append(Figure(name, statistics.median(got), "/s", goal, samples=got))

        measure("3 x 20 points, fibers, pct 3", "pct", 500_000)
        with ActorProcesses(lab):
            measure("3 x 20 points, processes, pct 3", "pct", 50_000)
            measure("3 x 20 points, processes, random", "random", 8_000)
    return figures


def _catalogue(races: Iterable[Race], effort: Effort, tell: Tell) -> list[Figure]:
    fibers, processes = [], []
    for race in races:
        tell(race.slug)
        with lab_of(race, defective=False, memory="sc") as lab:
            fibers.append(_per_second(lab, "portfolio", effort.seconds))
            with ActorProcesses(lab):
                processes.append(_per_second(lab, "portfolio", effort.seconds))
    return [
        Figure(f"catalogue, {kind}", statistics.median(got), "/s", goal, samples=got)
        for kind, got, goal in (("fibers", fibers, 50_000), ("processes", processes, 2_000))
    ]


def _points(effort: Effort, tell: Tell) -> list[Figure]:
    figures = []
    for title, batch in (("single records", 1), (f"batches of {_BATCH}", _BATCH)):
        tell(f"ring, {title}")
        pairs = _in_turn(effort, batch)
        lost = [(1 - bare / full) * 100 for full, bare in pairs]
        extra_ns = statistics.median(full - bare for full, bare in pairs)
        figures.append(
            Figure(f"ring lost, one process, {title}", statistics.median(lost), "%", 2, True, lost)
        )
        part = [100 * extra_ns / _between(effort, batch) for _ in range(effort.rounds)]
        name = f"ring lost, two processes, {title}"
        figures.append(Figure(name, statistics.median(part), "%", 2, True, part))
        if batch == 1:
            figures.append(Figure("a disabled point", extra_ns / _POINTS, "ns"))
    return figures


def _in_turn(effort: Effort, batch: int) -> list[tuple[float, float]]:
    """(with points, without) in ns of CPU time per record, in alternating order."""
    builds = (ring_bench, ring_bench_bare)
    wanted = (effort.records, ring_bench.sum_of(0, effort.records), 0)
    pairs = []
    with mmap.mmap(-1, ring_bench.ring_bytes(_ROOM)) as area:
        memory = Memory(area)
        for number in range(effort.turns):
            took = {}
            for build in builds if number % 2 else builds[::-1]:
                began = time.process_time_ns()
                got = build.turns_link(memory, 0, _ROOM, effort.records, batch)
                took[build] = (time.process_time_ns() - began) / effort.records
                if got != wanted:
                    raise RateError(f"{got[0]} records of {effort.records}, or they were damaged")
            pairs.append((took[ring_bench], took[ring_bench_bare]))
        memory.close()
    return pairs


def _between(effort: Effort, batch: int) -> float:
    """Nanoseconds per record between two processes."""
    sample = move_ring(
        ring_bench.produce_link, ring_bench.consume_link, batch, effort.records & ~1023
    )
    return 1e9 / sample["records_per_s"]


def document(figures: Iterable[Figure]) -> dict[str, Any]:
    return {
        "memory": "sc",
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
    }


def table(figures: Iterable[Figure]) -> list[str]:
    lines = [f"{'figure':<46}{'median':>14}{'goal':>14}"]
    for figure in figures:
        goal = "" if figure.goal is None else _number(figure.goal, figure)
        lines.append(
            f"{figure.name:<46}{_number(figure.value, figure):>14}{goal:>14}  {figure.verdict()}".rstrip()
        )
    cores = len(os.sched_getaffinity(0))
    lines.append(
        f"on {cores} cores, load average {os.getloadavg()[0]:.1f} (all processes of this machine)"
    )
    return lines


def _number(value: float, figure: Figure) -> str:
    if figure.unit == "/s":
        return f"{value:,.0f}/s"
    return f"{value:.2f} {figure.unit}"
