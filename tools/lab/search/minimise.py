# SPDX-License-Identifier: MIT
"""Minimising failing schedules and their ordering constraints. The programs stay; ``minimise_programs.py`` removes operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from iopf.cython_ext.runqueue import FIRST_DRAIN
from iopf.emulator.races.constraints import (
    MOST,
    Constraint,
    ConstraintError,
    minimal_constraints,
    of_schedule,
)
from iopf.emulator.races.schedule import Failure, Step, minimise, preemptions, runs
from iopf.emulator.sched.judge import Bug
from iopf.emulator.sched.tree import Walk
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.failure import failure_of, signature, what
from iopf.tools.lab.search.search import PORTFOLIO, Found


def minimise_schedule(lab: Lab, found: Found) -> Failure:
    """Minimise a finding. The minimised schedule runs last, and `found.what` describes its failure."""
    assert found.failure is not None
    short = minimise_failure(lab, found.failure)
    found.what = what(lab, lab.scheduler.replay(short.path))
    return short


def minimise_failure(
    lab: Lab, failure: Failure, tell: Callable[[Failure], None] | None = None
) -> Failure:
    """Minimise a failing schedule of this system. A livelock is reduced to its shortest prefix. If the failure does not need delayed
    stores, the result has none; the lab then follows the memory model that it needs (`Lab.memory`). A schedule that was found with still
    time gets running time if it fails in the same way."""
    if lab.scheduler.still:
        lab.scheduler.still = False
        bug = lab.scheduler.replay(failure.path, loose=True)
        lab.scheduler.still = bug == Bug.BUG_NONE or signature(lab, bug) != failure.signature
    if lab.memory == "tso":
        failure = _without_stores(lab, failure) or failure
    if failure.signature == (int(Bug.BUG_LIVELOCK),):
        return _shortest_prefix(lab, failure, tell)

    def replay(path: bytes) -> Failure | None:
        bug = lab.scheduler.replay(path, loose=True)
        return None if bug == Bug.BUG_NONE else failure_of(lab, bug)

    best = minimise(failure, replay, tell=tell)
    if lab.memory == "sc" and lab.scheduler.walkable and not lab.scheduler.still:
        fewer = _fewer_preemptions(lab, best)
        best = minimise(fewer, replay, tell=tell) if fewer is not None else best
    return best


_WALK_NS = 300_000_000


def _fewer_preemptions(lab: Lab, failure: Failure) -> Failure | None:
    """The same failure with fewer preemptions than `minimise` reached: walks all schedules with none, with one, and so on, each for a
    short time."""
    for bound in range(failure.preemptions):
        bug, _, complete = lab.scheduler.walk(Walk.WALK_PREEMPTIONS, bound, _WALK_NS)
        if bug != Bug.BUG_NONE:
            found = failure_of(lab, bug)
            return found if found.signature == failure.signature else None
        if not complete:
            return None
    return None


_ENOUGH = 2000


def _without_stores(lab: Lab, failure: Failure) -> Failure | None:
    """The same failure under sequential consistency, along the same path or found again. None if there is none."""
    lab.follow("sc")
    path = bytes(slot for slot in failure.path if slot < FIRST_DRAIN)
    bug = lab.scheduler.replay(path, loose=True)
    at = 0
    while bug == Bug.BUG_NONE or failure_of(lab, bug).signature != failure.signature:
        if at >= _ENOUGH:
            lab.follow("tso")
            return None
        bug, at, _ = lab.scheduler.explore(PORTFOLIO, 1, at, _ENOUGH - at)
        at += 1
    return failure_of(lab, bug)


def _shortest_prefix(lab: Lab, failure: Failure, tell: Callable[[Failure], None] | None) -> Failure:
    """The shortest prefix after which the schedule does not end."""

    def replay_prefix(path: bytes) -> Failure | None:
        if lab.scheduler.replay(path, loose=True) != Bug.BUG_LIVELOCK:
            return None
        played: list[Step] = lab.scheduler.trace[: len(path)]
        begun = bytes(step[0] for step in played)
        return Failure(begun, failure.signature, preemptions(played), len(runs(begun)))

    low, high = 0, len(failure.path)
    while low < high:
        middle = (low + high) // 2
        if replay_prefix(failure.path[:middle]) is None:
            low = middle + 1
        else:
            high = middle
    return minimise(replay_prefix(failure.path[:high]) or failure, replay_prefix, tell=tell)


def play_constraints(lab: Lab, constraints: Sequence[Constraint]) -> tuple[Bug, int]:
    """Run one schedule under constraints; return how it ended, and at how many steps it violated them. Raises ConstraintError for an
    unknown actor."""
    orderings = []
    for each in constraints:
        for place in (each.first, each.second):
            if place.actor not in lab.names:
                raise ConstraintError(f"{each}: no actor '{place.actor}'")
        first, second = (
            (lab.names.index(place.actor), place.point, place.number)
            for place in (each.first, each.second)
        )
        orderings.append((first, second))
    return lab.scheduler.run_ordered(orderings)


def constraints_of(lab: Lab, failure: Failure) -> list[Constraint] | None:
    """Minimal ordering constraints under which the schedule fails in the same way; empty if it always fails. None if orderings alone do
    not reproduce it, as with delayed stores."""
    memory = lab.memory
    lab.scheduler.replay(failure.path)
    every = of_schedule(lab.scheduler.trace, lab.names)
    lab.follow("sc")

    def fails(some: Sequence[Constraint]) -> bool:
        bug, broken = play_constraints(lab, some)
        if bug == Bug.BUG_NONE or broken:
            return False
        return failure_of(lab, bug).signature == failure.signature

    found = minimal_constraints(every, fails) if len(every) <= MOST and fails(every) else None
    lab.follow(memory)
    return found
