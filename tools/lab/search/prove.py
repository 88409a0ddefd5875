# SPDX-License-Identifier: MIT
"""Running all schedules of a system, or all with a bounded number of delays and preemptions if these are too many.

The budget decides what is too many: a number of executions, which gives the same result on every machine, or a share of the seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from iopf.emulator.races.schedule import Failure
from iopf.emulator.sched.judge import Bug
from iopf.emulator.sched.tree import Walk
from iopf.emulator.spec.text import counted
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.failure import failure_of, what
from iopf.tools.lab.search.minimise import minimise_failure
from iopf.tools.lab.search.search import AT_REST, check_walk

DELAYS_MOST = 8
_REDUCED = 0.6  # of the budget
_DELAYED = 0.85  # cumulative


class Outcome(StrEnum):
    """What is known about the schedules."""

    PROVED = "proved"  # all ran and none fails
    BOUNDED = "bounded"  # all within a requested bound ran and none fails
    INCONCLUSIVE = "inconclusive"  # the budget ended before that
    FAILED = "failed"  # one fails


@dataclass(slots=True)
class Proof:
    """Result. `executions`: of the reduced walk, each representing all orders of its independent steps; `reduced`: that walk has ended;
    `complete`: it covered all. `delays`: the bound up to which all `delayed` schedules ran, -1 if none; `turned`: that walk has ended.
    `preemptions`: the same for `bounded` schedules; `most`, `most_delays`: the requested bounds. `timed`: the system has timeouts, which
    in `executions` expire only when no actor is runnable. `failure`: the minimised failing schedule. `stopped`: interrupted, so the rest
    is partial."""

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
    delayed: int = 0
    delays: int = -1
    turned: bool = False
    most_delays: int = 2

    @property
    def outcome(self) -> Outcome:
        if self.failure is not None:
            return Outcome.FAILED
        if self.complete:
            return Outcome.PROVED
        reached = self.delays >= self.most_delays or 0 <= self.most <= self.preemptions
        return Outcome.BOUNDED if reached else Outcome.INCONCLUSIVE

    @property
    def verdict(self) -> str:
        """The result in one line. `iopf help races` explains the terms."""
        if self.failure is not None:
            how = (
                "interrupted before it was minimised to fewer than"
                if self.stopped
                else "minimised to"
            )
            return f"fails; {how} {counted(self.failure.preemptions, 'preemption')}"
        if self.complete:
            ends = AT_REST if self.timed else ""
            return f"proved: no schedule{ends} fails"
        end = "interrupted" if self.stopped else "the budget ended"
        if self.outcome is Outcome.INCONCLUSIVE and not self.stopped:
            end = f"inconclusive, {end}"
        early = " or timeouts" if self.timed else ""
        bounds = [
            f"at most {counted(number, kind)}{early}"
            for number, kind in ((self.preemptions, "preemption"), (self.delays, "delay"))
            if number >= 0
        ]
        if not bounds:
            return f"{end}: nothing is proved"
        return f"{end}: no schedule with {bounds[0]} fails" + "".join(
            f", nor one with {each}" for each in bounds[1:]
        )

    @property
    def _begun(self) -> int:
        """Bound of the last walk by delays, complete or not."""
        return min(self.delays + 1, self.most_delays)

    @property
    def played(self) -> str:
        """The schedules that ran, by walk."""
        played = counted(self.executions, "execution")
        if self.delayed:
            played += f", then {counted(self.delayed, 'schedule')} of at most {counted(self._begun, 'delay')}"
        if self.bounded:
            bound = self.preemptions + 1 if self.preemptions < self.most else self.most
            played += f", then {counted(self.bounded, 'schedule')} of at most {counted(bound, 'preemption')}"
        return played


def prove(
    lab: Lab,
    *,
    seconds: float,
    preemptions: int,
    delays: int = 2,
    executions: int | None = None,
    tell: Callable[[str], None] = lambda _line: None,
) -> Proof:
    """Run all schedules, reduced. If these are more than `executions`, or without it take more than 0.6 of the seconds, run those with
    at most `delays` delays, then with at most `preemptions` preemptions, increasing the bound from 0. With `executions` the seconds only
    end it, as inconclusive. An interrupt ends it with the result so far. Raises TooManyActors."""
    check_walk(lab)
    proof = Proof(most=preemptions, most_delays=delays)
    began, before = time.monotonic(), lab.scheduler.played
    try:
        bug = _prove(lab, proof, seconds, executions, tell)
        if bug != Bug.BUG_NONE:
            lab.scheduler.still = not proof.reduced
            proof.what = what(lab, bug)
            proof.failure = failure_of(lab, bug)
            proof.failure = minimise_failure(lab, proof.failure)
    except KeyboardInterrupt:
        proof.stopped = True
        if proof.failure is None:
            _count(proof, lab, lab.scheduler.played - before)
    proof.seconds = time.monotonic() - began
    return proof


def _count(proof: Proof, lab: Lab, played: int) -> None:
    """Count the schedules of an interrupted walk."""
    if not proof.reduced:
        proof.executions, proof.timed = played, lab.scheduler.timed
    elif proof.turned:
        proof.bounded = played - proof.executions - proof.delayed
    else:
        proof.delayed = played - proof.executions


def _prove(
    lab: Lab,
    proof: Proof,
    seconds: float,
    executions: int | None,
    tell: Callable[[str], None],
) -> Bug:
    began = time.monotonic()

    def walk(
        by: Walk, bound: int, share: float, title: str, most: int = 0
    ) -> tuple[Bug, int, bool]:
        """Walk up to a cumulative share of the seconds, or, with a number of executions, to their end."""
        tell(title)
        left = seconds * (share if executions is None else 1) - (time.monotonic() - began)

        def say(played: int) -> None:
            tell(f"{title}: {played:,}, {time.monotonic() - began:.0f} of {seconds:g} s")

        return lab.scheduler.walk(by, bound, max(0, int(left * 1e9)), most, tell=say)

    bug, proof.executions, proof.complete = walk(
        Walk.WALK_REDUCED, 0, _REDUCED, "all schedules, reduced", executions or 0
    )
    proof.reduced, proof.timed = True, lab.scheduler.timed
    whole = not proof.complete
    while whole and bug == Bug.BUG_NONE and proof.delays < proof.most_delays:
        bound = proof.delays + 1
        title = f"all schedules of at most {counted(bound, 'delay')}"
        bug, played, whole = walk(Walk.WALK_DELAYS, bound, _DELAYED, title)
        proof.delayed += played
        proof.delays += whole
    proof.turned = True
    whole = not proof.complete
    while whole and bug == Bug.BUG_NONE and proof.preemptions < proof.most:
        bound = proof.preemptions + 1
        title = f"all schedules of at most {counted(bound, 'preemption')}"
        bug, played, whole = walk(Walk.WALK_PREEMPTIONS, bound, 1, title)
        proof.bounded += played
        proof.preemptions += whole
    return bug
