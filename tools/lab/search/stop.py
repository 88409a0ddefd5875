"""Stopping actors at their scheduling points: slow is not dead, and nothing may be lost.

A schedule is played up to a step of the victim, which then stands still while the others go on until nobody can, or, where somebody
looks again and again, for many steps. Then it goes on, and so does everybody, to the end. Whatever is true of every schedule must be
true of this one: all programs end well, nothing is left, no detector speaks.

In processes the victim gets a real SIGSTOP and SIGCONT; as fibers it is passed over, which is the same for everybody else.
"""

from __future__ import annotations

from iopf.cython_ext.runqueue import End
from iopf.emulator.sched.judge import Bug
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.failure import what
from iopf.tools.lab.search.kill import GONE, Tell, Tried, Victim, everywhere, naps

WHILE_STOPPED = 5000  # steps of the others, if they do not come to rest before


def stop_everywhere(
    lab: Lab, victim: Victim, *, seeds: range, procs: ActorProcesses | None, tell: Tell = None
) -> Tried:
    """Stops the victim at each of its steps in the schedule of each seed."""

    def stop(path: bytes, step: int) -> list[str]:
        return _stop_at(lab, victim, path, step, procs)

    return everywhere(lab, victim, stop, seeds, tell)


def _stop_at(
    lab: Lab, victim: Victim, path: bytes, step: int, procs: ActorProcesses | None
) -> list[str]:
    """The failure in lines; empty when all is fine."""
    scheduler = lab.scheduler
    if not scheduler.run_to(path, step):
        return [GONE]
    scheduler.hold(victim.slot)
    if procs is not None:
        procs.stop(victim.slot)
    bug = scheduler.continue_schedule(max_steps=step + WHILE_STOPPED, recheck=False)
    rest = scheduler.ended == End.END_QUIET or (scheduler.ended == End.END_STEPS and naps(lab))
    if procs is not None:
        procs.resume(victim.slot)
    if not rest:
        return ["while it was stopped: " + line for line in what(lab, bug)]
    if victim.slot in scheduler.path[step:]:
        return ["it made a step while it was stopped"]
    scheduler.release(victim.slot)
    bug = scheduler.continue_schedule(recheck=False)
    return [] if bug == Bug.BUG_NONE else what(lab, bug)
