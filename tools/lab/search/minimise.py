"""Making a failing schedule short, and naming the few switches that it takes. The programs stay; ``shrink.py`` leaves out operations."""

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
    """The shortest schedule of a search that has found one. It is played last, and `found.what` then says how that one fails."""
    assert found.failure is not None
    short = minimise_failure(lab, found.failure)
    found.what = what(lab, lab.scheduler.replay(short.path))
    return short


def minimise_failure(
    lab: Lab, failure: Failure, tell: Callable[[Failure], None] | None = None
) -> Failure:
    """Minimises a failing schedule of this system. One that does not end is known by its beginning: that is what is left of it. Where
    delayed stores are not what makes it fail, the result is one without them; the lab then follows the model that it needs
    (`Lab.memory`). A schedule that was found while time stood still is played with time that goes on, if it fails so, too."""
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
    """The same failure with fewer preemptions than moving runs together has come to: all schedules with none, with one, and so on are
    played, for a short time each."""
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
    """The same failure under sequential consistency: along the same path, or found anew. None when none is found."""
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
    """Of a schedule that does not end: what it takes for it not to."""

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
    """One schedule that keeps to them, and at how many steps it could not. Raises ConstraintError for an actor that is not there."""
    orderings = []
    for each in constraints:
        for place in (each.first, each.second):
            if place.actor not in lab.names:
                raise ConstraintError(f"{each}: no actor is called '{place.actor}'")
        first, second = (
            (lab.names.index(place.actor), place.point, place.number)
            for place in (each.first, each.second)
        )
        orderings.append((first, second))
    return lab.scheduler.run_ordered(orderings)


def constraints_of(lab: Lab, failure: Failure) -> list[Constraint] | None:
    """The fewest switches of a failing schedule under which it fails in the same way: none when it fails whoever goes first. None when
    switches alone do not say it, as with delayed stores."""
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
