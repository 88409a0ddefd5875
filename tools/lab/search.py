"""Searching a system's schedules for one that fails, and saying what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cython_ext.stage import FIRST_DRAIN
from emulator.sched.constraints import MOST, Constraint, ConstraintError, fewest, of_schedule
from emulator.sched.judge import Bug
from emulator.sched.schedule import Failure, Step, minimise, preemptions, runs
from emulator.sched.strategies import Strategy
from emulator.spec.roles import slots_of
from emulator.spec.sites import point_name
from tools.cli.status import Failed, Status
from tools.lab.system import STEPS, Lab
from tools.supervisor.programs import failure_text
from tools.supervisor.verdicts import describe

Plan = list[tuple[int, int]]
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


class PlayerLost(Failed):
    """A process that plays an actor has died, or stands still. Nothing that is played says so: it was killed, or there is a bug in here."""

    status = Status.DIED


class TooManyActors(Failed):
    """A walk through all schedules is for systems of few actors."""

    status = Status.UNSUPPORTED


@dataclass(slots=True)
class Found:
    """What a search has come to. `failure` is None when nothing failed within the budget. `complete`: there are no more schedules;
    `timed`: than those in which a timeout ends only when nobody else can go on."""

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


def search(lab: Lab, seed: int, *, seconds: float, most: int, plan: Plan | None = None) -> Found:
    """Plays schedules until one fails, or the budget ends. The lab then follows the memory model of the one that failed."""
    conductor = lab.conductor
    lab.follow(lab.explores)
    conductor.forget()
    began, steps = time.monotonic(), conductor.steps
    at = 0
    while at < most:
        bug, at, _ = conductor.explore(plan or PORTFOLIO, seed, at, min(BATCH, most - at))
        check_players(lab, bug)
        if bug != Bug.BUG_NONE:
            took = time.monotonic() - began
            lab.follow("tso" if conductor.delayed else "sc")
            return Found(
                at + 1, conductor.steps - steps, took, failure_of(lab, bug), what(lab, bug)
            )
        if time.monotonic() - began > seconds:
            break
    return Found(at, conductor.steps - steps, time.monotonic() - began)


WALKS = ("dfs", "dpor")
AT_REST = " in which a timeout ends when nobody else can go on"


def walk(lab: Lab, strategy: str, *, seconds: float, most: int) -> Found:
    """All schedules in order, under sequential consistency: reduced (dpor), or those without preemption, with one, and so on (dfs). A
    schedule that dpor finds is played again with its clock. Raises TooManyActors."""
    check_walk(lab)
    conductor = lab.conductor
    lab.explores = "sc"
    lab.follow("sc")
    began, steps, played = time.monotonic(), conductor.steps, 0
    dfs, whole, complete, bug = strategy == "dfs", True, False, Bug.BUG_NONE
    bound, before = 0, -1
    while bug == Bug.BUG_NONE and played < most and whole and not complete:
        left = max(0.0, seconds - (time.monotonic() - began))
        bug, schedules, whole = conductor.walk(dfs, bound, int(left * 1e9), most - played)
        played += schedules
        # With another preemption there are more, or there are none with still more of them.
        complete = whole and (not dfs or schedules == before)
        bound, before = bound + 1, schedules
    took = time.monotonic() - began
    if bug == Bug.BUG_NONE:
        timed = conductor.timed and not dfs
        return Found(played, conductor.steps - steps, took, complete=complete, timed=timed)
    conductor.still = not dfs
    return Found(played, conductor.steps - steps, took, failure_of(lab, bug), what(lab, bug))


def check_walk(lab: Lab) -> None:
    """Raises TooManyActors."""
    if not lab.conductor.walkable:
        actors = slots_of(lab.plan.config)["total"][1] - 1
        raise TooManyActors(
            f"{actors} processes; all schedules are played of at most 15: take fewer devices, "
            "tenants or handlers, or search at random"
        )


def check_players(lab: Lab, bug: int) -> None:
    """Raises PlayerLost when a schedule has ended because of that."""
    if bug == Bug.BUG_LOST and lab.conductor.by_processes:
        at = lab.names[lab.conductor.path[-1]] if lab.conductor.path else "nobody"
        raise PlayerLost(
            f"the process of {at} was killed, or does not come back with its step; "
            f"{lab.conductor.played:,} schedules had been played"
        )


def failure_of(lab: Lab, bug: int) -> Failure:
    """The schedule that has just been played, and what its failure is known by."""
    steps: list[Step] = lab.conductor.trace
    path = lab.conductor.path
    return Failure(path, signature(lab, bug), preemptions(steps), len(runs(path)) - 1)


def signature(lab: Lab, bug: int) -> tuple[object, ...]:
    """Kind of bug; for a verdict its kind and class, for a deadlock who is not done, for an operation that failed its text and errno."""
    if bug == Bug.BUG_VERDICT:
        first = lab.snapshot.verdicts()[0]
        return (int(bug), first["kind"], first["cls"])
    if bug == Bug.BUG_DEADLOCK:
        return (int(bug), *(slot for slot, _, _, _, _, over in lab.stuck() if not over))
    if bug == Bug.BUG_FAILED:
        first = lab.failed()[0]
        return (int(bug), first["text"], first["result"])
    return (int(bug),)


def shorten(lab: Lab, found: Found) -> Failure:
    """The shortest schedule of a search that has found one. It is played last, and `found.what` then says how that one fails."""
    assert found.failure is not None
    short = shortest(lab, found.failure)
    found.what = what(lab, lab.conductor.replay(short.path))
    return short


def shortest(lab: Lab, failure: Failure, tell: Callable[[Failure], None] | None = None) -> Failure:
    """Minimises a failing schedule of this system. One that does not end is known by its beginning: that is what is left of it. Where
    delayed stores are not what makes it fail, the result is one without them; the lab then follows the model that it needs
    (`Lab.memory`). A schedule that was found while time stood still is played with time that goes on, if it fails so, too."""
    if lab.conductor.still:
        lab.conductor.still = False
        bug = lab.conductor.replay(failure.path, loose=True)
        lab.conductor.still = bug == Bug.BUG_NONE or signature(lab, bug) != failure.signature
    if lab.memory == "tso":
        failure = _without_stores(lab, failure) or failure
    if failure.signature == (int(Bug.BUG_LIVELOCK),):
        return _shortest_beginning(lab, failure, tell)

    def replay(path: bytes) -> Failure | None:
        bug = lab.conductor.replay(path, loose=True)
        return None if bug == Bug.BUG_NONE else failure_of(lab, bug)

    best = minimise(failure, replay, tell=tell)
    if lab.memory == "sc" and lab.conductor.walkable and not lab.conductor.still:
        fewer = _fewer_preemptions(lab, best)
        best = minimise(fewer, replay, tell=tell) if fewer is not None else best
    return best


_WALK_NS = 300_000_000


def _fewer_preemptions(lab: Lab, failure: Failure) -> Failure | None:
    """The same failure with fewer preemptions than moving runs together has come to: all schedules with none, with one, and so on are
    played, for a short time each."""
    for bound in range(failure.preemptions):
        bug, _, complete = lab.conductor.walk(True, bound, _WALK_NS)
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
    bug = lab.conductor.replay(path, loose=True)
    at = 0
    while bug == Bug.BUG_NONE or failure_of(lab, bug).signature != failure.signature:
        if at >= _ENOUGH:
            lab.follow("tso")
            return None
        bug, at, _ = lab.conductor.explore(PORTFOLIO, 1, at, _ENOUGH - at)
        at += 1
    return failure_of(lab, bug)


def _shortest_beginning(
    lab: Lab, failure: Failure, tell: Callable[[Failure], None] | None
) -> Failure:
    """Of a schedule that does not end: what it takes for it not to."""

    def replay_beginning(path: bytes) -> Failure | None:
        if lab.conductor.replay(path, loose=True) != Bug.BUG_LIVELOCK:
            return None
        played: list[Step] = lab.conductor.trace[: len(path)]
        begun = bytes(step[0] for step in played)
        return Failure(begun, failure.signature, preemptions(played), len(runs(begun)))

    low, high = 0, len(failure.path)
    while low < high:
        middle = (low + high) // 2
        if replay_beginning(failure.path[:middle]) is None:
            low = middle + 1
        else:
            high = middle
    return minimise(replay_beginning(failure.path[:high]) or failure, replay_beginning, tell=tell)


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
    return lab.conductor.play_ordered(orderings)


def constraints_of(lab: Lab, failure: Failure) -> list[Constraint] | None:
    """The fewest switches of a failing schedule under which it fails in the same way: none when it fails whoever goes first. None when
    switches alone do not say it, as with delayed stores."""
    memory = lab.memory
    lab.conductor.replay(failure.path)
    every = of_schedule(lab.conductor.trace, lab.names)
    lab.follow("sc")

    def fails(some: Sequence[Constraint]) -> bool:
        bug, broken = play_constraints(lab, some)
        if bug == Bug.BUG_NONE or broken:
            return False
        return failure_of(lab, bug).signature == failure.signature

    found = fewest(every, fails) if len(every) <= MOST and fails(every) else None
    lab.follow(memory)
    return found


def what(lab: Lab, bug: int) -> list[str]:
    """The failure of the schedule that has just been played, in lines."""
    if bug == Bug.BUG_VERDICT:
        return [describe(verdict, lab.names) for verdict in lab.snapshot.verdicts()]
    if bug == Bug.BUG_ANSWER:
        return ["a device got an answer that it did not wait for"]
    if bug == Bug.BUG_LEAK:
        return lab.leaks()
    if bug == Bug.BUG_FAILED:
        return [
            "an operation failed that may not fail: " + "; ".join(map(failure_text, lab.failed()))
        ]
    if bug == Bug.BUG_LOST:
        return ["a process is gone, or did not come back with its step"]
    if bug == Bug.BUG_DEADLOCK:
        head = "deadlock: nobody can go on"
    else:
        head = f"the bound on steps: no end after {STEPS:,}; a livelock, or programs that take more"
    return [head] + [
        f"{lab.names[slot]} waits in {point_name(point)}"
        for slot, _, point, _, _, over in lab.stuck()
        if not over
    ]
