# SPDX-License-Identifier: MIT
"""Search of a system's schedules for a failing one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from iopf.emulator.races.schedule import Failure
from iopf.emulator.sched.judge import Bug
from iopf.emulator.sched.strategies import Strategy
from iopf.emulator.sched.tree import Walk
from iopf.emulator.spec.roles import slots_of
from iopf.emulator.spec.text import counted
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.failure import check_lost, failure_of, what
from iopf.tools.status import Failed, Status

Plan = list[tuple[int, int]]
Tell = Callable[[str], None]
PORTFOLIO: Plan = [
    (int(Strategy.STRATEGY_RANDOM), 0),
    (int(Strategy.STRATEGY_PCT), 2),
    (int(Strategy.STRATEGY_POS), 0),
    (int(Strategy.STRATEGY_PCT), 3),
    (int(Strategy.STRATEGY_URW), 0),
    (int(Strategy.STRATEGY_PCT), 4),
]
STRATEGIES: dict[str, Plan] = {
    "portfolio": PORTFOLIO,
    "random": [(int(Strategy.STRATEGY_RANDOM), 0)],
    "pct": [(int(Strategy.STRATEGY_PCT), 3)],
    "pos": [(int(Strategy.STRATEGY_POS), 0)],
    "urw": [(int(Strategy.STRATEGY_URW), 0)],
}
BATCH = 1000


class TooManyActors(Failed):
    """The system has too many actors for a walk through all schedules."""

    status = Status.UNSUPPORTED


@dataclass(slots=True)
class Found:
    """Result of a search. `failure`: None if no schedule failed within the budget. `complete`: all schedules ran; `timed`: all in which
    a timeout expires only when no actor is runnable."""

    schedules: int
    steps: int
    seconds: float
    failure: Failure | None = None
    what: list[str] | None = None
    complete: bool = False
    timed: bool = False

    @property
    def per_second(self) -> float:
        return self.schedules / self.seconds if self.seconds else 0.0


def search(
    lab: Lab,
    seed: int,
    *,
    seconds: float,
    most: int,
    plan: Plan | None = None,
    tell: Tell | None = None,
) -> Found:
    """Run schedules until one fails or the budget ends. The lab then follows the memory model of the failing one. `tell` is called with
    the progress."""
    scheduler = lab.scheduler
    lab.follow(lab.explores)
    scheduler.reset_strategies()
    began, steps = time.monotonic(), scheduler.steps
    at = 0
    while at < most:
        bug, at, _ = scheduler.explore(plan or PORTFOLIO, seed, at, min(BATCH, most - at))
        check_lost(lab, bug)
        if bug != Bug.BUG_NONE:
            took = time.monotonic() - began
            lab.follow("tso" if scheduler.delayed else "sc")
            return Found(
                at + 1, scheduler.steps - steps, took, failure_of(lab, bug), what(lab, bug)
            )
        took = time.monotonic() - began
        if tell is not None:
            tell(f"searching: {counted(at, 'schedule')}, {took:.0f} of {seconds:g} s")
        if took > seconds:
            break
    return Found(at, scheduler.steps - steps, time.monotonic() - began)


WALKS = ("dfs", "dpor")
AT_REST = " in which timeouts expire only when no actor is runnable"


def walk(lab: Lab, strategy: str, *, seconds: float, most: int, tell: Tell | None = None) -> Found:
    """Run all schedules under sequential consistency: reduced (dpor), or with increasing numbers of preemptions (dfs). A schedule that
    dpor finds is replayed with its clock. Raises TooManyActors."""
    check_walk(lab)
    scheduler = lab.scheduler
    lab.explores = "sc"
    lab.follow("sc")
    began, steps, played = time.monotonic(), scheduler.steps, 0
    dfs, whole, complete, bug = strategy == "dfs", True, False, Bug.BUG_NONE
    bound, before = 0, -1
    by = Walk.WALK_PREEMPTIONS if dfs else Walk.WALK_REDUCED
    while bug == Bug.BUG_NONE and played < most and whole and not complete:
        left = max(0.0, seconds - (time.monotonic() - began))
        most_of = f"schedules with at most {counted(bound, 'preemption')}"
        title = most_of if dfs else "all schedules, reduced"
        say = _walk_line(tell, title, played, began, seconds)
        bug, schedules, whole = scheduler.walk(by, bound, int(left * 1e9), most - played, tell=say)
        played += schedules
        # An equal count with one more preemption allowed: no schedule has more.
        complete = whole and (not dfs or schedules == before)
        bound, before = bound + 1, schedules
    took = time.monotonic() - began
    if bug == Bug.BUG_NONE:
        timed = scheduler.timed and not dfs
        return Found(played, scheduler.steps - steps, took, complete=complete, timed=timed)
    scheduler.still = not dfs
    return Found(played, scheduler.steps - steps, took, failure_of(lab, bug), what(lab, bug))


def _walk_line(
    tell: Tell | None, title: str, before: int, began: float, seconds: float
) -> Callable[[int], None] | None:
    """What a walk calls with the number of its schedules; `before`: those of earlier walks."""
    if tell is None:
        return None

    def say(played: int) -> None:
        tell(f"{title}: {before + played:,}, {time.monotonic() - began:.0f} of {seconds:g} s")

    return say


def check_walk(lab: Lab) -> None:
    """Raise TooManyActors if the system is too large for a walk."""
    if not lab.scheduler.walkable:
        actors = slots_of(lab.plan.config)["total"][1] - 1
        raise TooManyActors(
            f"{actors} processes; at most 15 can be explored exhaustively: use fewer devices, "
            "tenants or handlers, or search at random"
        )
