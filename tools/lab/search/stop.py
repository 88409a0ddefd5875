# SPDX-License-Identifier: MIT
"""Stopping actors at their scheduling points: a stopped actor is slow, not dead, and nothing may be lost.

A schedule runs up to a step of the victim. The victim is then stopped while the other actors continue until none is runnable, or, if
one polls, for many steps. Then the victim is resumed and all actors run to the end. As in every schedule, all programs must succeed,
nothing may leak, and no detector may fire.

In processes the victim gets a real SIGSTOP and SIGCONT; a fiber is skipped, which is equivalent for the other actors.
"""

from __future__ import annotations

from iopf.cython_ext.runqueue import End
from iopf.emulator.sched.judge import Bug
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.failure import what
from iopf.tools.lab.search.kill import GONE, Tell, Tried, Victim, everywhere, naps

WHILE_STOPPED = 5000  # steps of the others, unless they block before


def stop_everywhere(
    lab: Lab, victim: Victim, *, seeds: range, procs: ActorProcesses | None, tell: Tell = None
) -> Tried:
    """Stop the victim at each of its steps in the schedule of each seed."""

    def stop(path: bytes, step: int) -> list[str]:
        return _stop_at(lab, victim, path, step, procs)

    return everywhere(lab, victim, stop, seeds, tell)


def _stop_at(
    lab: Lab, victim: Victim, path: bytes, step: int, procs: ActorProcesses | None
) -> list[str]:
    """The failure as lines; empty if there is none."""
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
        return ["while the actor was stopped: " + line for line in what(lab, bug)]
    if victim.slot in scheduler.path[step:]:
        return ["the actor ran a step while it was stopped"]
    scheduler.release(victim.slot)
    bug = scheduler.continue_schedule(recheck=False)
    return [] if bug == Bug.BUG_NONE else what(lab, bug)
