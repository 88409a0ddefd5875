"""What failed: what it is known by, and how to say it."""

from __future__ import annotations

from iopf.emulator.races.schedule import Failure, Step, preemptions, runs
from iopf.emulator.sched.judge import Bug
from iopf.emulator.spec.sites import point_name
from iopf.tools.lab.play.system import STEPS, Lab
from iopf.tools.status import Failed, Status
from iopf.tools.supervisor.programs import failure_text
from iopf.tools.supervisor.verdicts import describe


class ActorLost(Failed):
    """A process that plays an actor has died, or stands still. Nothing that is played says so: it was killed, or there is a bug in here."""

    status = Status.DIED


def check_lost(lab: Lab, bug: int) -> None:
    """Raises ActorLost when a schedule has ended because of that."""
    if bug == Bug.BUG_LOST and lab.scheduler.by_processes:
        at = lab.names[lab.scheduler.path[-1]] if lab.scheduler.path else "nobody"
        raise ActorLost(
            f"the process of {at} was killed, or does not come back with its step; "
            f"{lab.scheduler.played:,} schedules had been played"
        )


def failure_of(lab: Lab, bug: int) -> Failure:
    """The schedule that has just been played, and what its failure is known by."""
    steps: list[Step] = lab.scheduler.trace
    path = lab.scheduler.path
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
