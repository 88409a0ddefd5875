"""Playing every schedule of a system: all of them if the time is enough, else all up to a number of preemptions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from emulator.sched.judge import Bug
from emulator.sched.schedule import Failure
from tools.lab.failure import failure_of, what
from tools.lab.search import AT_REST, check_walk
from tools.lab.shorten import shortest
from tools.lab.system import Lab

PREEMPTIONS_MOST = 8
_REDUCED = 0.7  # of the budget


@dataclass(slots=True)
class Proof:
    """`executions` of the reduced walk, each for all orders of its independent steps; `reduced`: it is over; `complete`: there are no
    more. `preemptions`: with at most so many, all of `bounded` schedules were played; -1: with none; `most`: how many were asked for.
    `timed`: there are timeouts, and in `executions` they end only when nobody else can go on. `failure`: the shortest schedule that
    fails. `stopped`: by an interrupt, and the rest is what there was until then."""

    executions: int = 0
    reduced: bool = False
    complete: bool = False
    bounded: int = 0
    preemptions: int = -1
    most: int = 0
    timed: bool = False
    seconds: float = 0.0
    what: list[str] = field(default_factory=list)
    failure: Failure | None = None
    stopped: bool = False

    @property
    def verdict(self) -> str:
        """In one line. What the words rest on stands in `iopf help races`."""
        if self.failure is not None:
            how = (
                "interrupted before it was shortened to fewer than"
                if self.stopped
                else "shortened to"
            )
            return f"fails; {how} {self.failure.preemptions} preemptions"
        if self.complete:
            ends = AT_REST if self.timed else ""
            return f"proved: no schedule{ends} fails"
        end = "interrupted" if self.stopped else "the budget ended"
        if self.preemptions >= 0:
            early = " or timeouts" if self.timed else ""
            return f"{end}: no schedule with at most {self.preemptions} preemptions{early} fails"
        return f"{end}: nothing is proved"

    @property
    def played(self) -> str:
        """What none of which fails, or how many there were before one did."""
        counted = f"{self.executions:,} executions"
        if self.bounded:
            bound = self.preemptions + 1 if self.preemptions < self.most else self.most
            counted += f", then {self.bounded:,} schedules of at most {bound} preemptions"
        return counted


def prove(
    lab: Lab,
    *,
    seconds: float,
    preemptions: int,
    tell: Callable[[str], None] = lambda _line: None,
) -> Proof:
    """All schedules, reduced; when these are too many for 0.7 of the budget, those of at most `preemptions`, beginning with none. An
    interrupt ends it; what there is until then is returned. Raises TooManyActors."""
    check_walk(lab)
    proof, began, before = Proof(most=preemptions), time.monotonic(), lab.conductor.played
    try:
        _prove(lab, proof, seconds, tell)
    except KeyboardInterrupt:
        proof.stopped = True
        if proof.failure is None:
            _count(proof, lab, lab.conductor.played - before)
    proof.seconds = time.monotonic() - began
    return proof


def _count(proof: Proof, lab: Lab, played: int) -> None:
    """Schedules of a walk that was interrupted are counted like those of the ones before."""
    if proof.reduced:
        proof.bounded = played - proof.executions
    else:
        proof.executions, proof.timed = played, lab.conductor.timed


def _prove(lab: Lab, proof: Proof, seconds: float, tell: Callable[[str], None]) -> None:
    began = time.monotonic()

    def telling(what_is_played: str) -> Callable[[int], None]:
        """For a walk: how many so far, and how much of the whole budget is over."""
        tell(what_is_played)
        return lambda played: tell(
            f"{what_is_played}: {played:,}, {time.monotonic() - began:.0f} of {seconds:g} s"
        )

    bug, proof.executions, proof.complete = lab.conductor.walk(
        False,
        0,
        int(seconds * _REDUCED * 1e9),
        tell=telling("all schedules, reduced"),
    )
    proof.reduced, proof.timed = True, lab.conductor.timed
    while bug == Bug.BUG_NONE and not proof.complete and proof.preemptions < proof.most:
        bound = proof.preemptions + 1
        left = seconds - (time.monotonic() - began)
        say = telling(f"all schedules of at most {bound} preemptions")
        bug, played, whole = lab.conductor.walk(True, bound, max(0, int(left * 1e9)), tell=say)
        proof.bounded += played
        if not whole:
            break
        proof.preemptions = bound
    if bug != Bug.BUG_NONE:
        lab.conductor.still = proof.bounded == 0
        proof.what = what(lab, bug)
        proof.failure = failure_of(lab, bug)
        proof.failure = shortest(lab, proof.failure)
