# SPDX-License-Identifier: MIT
"""Identity and description of a failure."""

from __future__ import annotations

from iopf.emulator.races.schedule import Failure, Step, preemptions, runs
from iopf.emulator.sched.judge import Bug
from iopf.emulator.spec.sites import point_name
from iopf.emulator.spec.text import counted
from iopf.tools.lab.play.system import STEPS, Lab
from iopf.tools.status import Failed, Status
from iopf.tools.supervisor.programs import failure_text
from iopf.tools.supervisor.verdicts import describe


class ActorLost(Failed):
    """The process of an actor died or stopped. The schedule does not explain it: the process was killed, or the emulator has a bug."""

    status = Status.DIED


def check_lost(lab: Lab, bug: int) -> None:
    """Raise ActorLost if the schedule ended because of a lost process."""
    if bug == Bug.BUG_LOST and lab.scheduler.by_processes:
        at = lab.names[lab.scheduler.path[-1]] if lab.scheduler.path else "no actor"
        raise ActorLost(
            f"the process of {at} was killed or does not return the token; "
            f"{counted(lab.scheduler.played, 'schedule')} had run"
        )


def failure_of(lab: Lab, bug: int) -> Failure:
    """The schedule that ran last, with the signature of its failure."""
    steps: list[Step] = lab.scheduler.trace
    path = lab.scheduler.path
    return Failure(path, signature(lab, bug), preemptions(steps), len(runs(path)) - 1)


def signature(lab: Lab, bug: int) -> tuple[object, ...]:
    """Kind of bug, with kind and class of a verdict, unfinished actors of a deadlock, or text and errno of a failed operation."""
    if bug == Bug.BUG_VERDICT:
        first = lab.snapshot.verdicts()[0]
        return (int(bug), first["kind"], first["cls"])
    if bug == Bug.BUG_DEADLOCK:
        return (int(bug), *(slot for slot, _, _, _, _, over in lab.stuck() if not over))
    if bug == Bug.BUG_FAILED:
        first = lab.failed()[0]
        return (int(bug), first["text"], first["result"])
    return (int(bug),)


def what(lab: Lab, bug: int) -> list[str]:
    """The failure of the schedule that ran last, as lines."""
    if bug == Bug.BUG_VERDICT:
        return [describe(verdict, lab.names) for verdict in lab.snapshot.verdicts()]
    if bug == Bug.BUG_ANSWER:
        return ["a device received a response that it did not wait for"]
    if bug == Bug.BUG_LEAK:
        return lab.leaks()
    if bug == Bug.BUG_FAILED:
        return [
            "an operation failed that may not fail: " + "; ".join(map(failure_text, lab.failed()))
        ]
    if bug == Bug.BUG_LOST:
        return ["a process died or did not return the token"]
    if bug == Bug.BUG_DEADLOCK:
        head = "deadlock: no runnable actor"
    else:
        head = (
            f"step limit reached after {STEPS:,} steps: a livelock, or the programs need more steps"
        )
    return [head] + [
        f"{lab.names[slot]} blocked in {point_name(point)}"
        for slot, _, point, _, _, over in lab.stuck()
        if not over
    ]
