"""Stopping actors at their scheduling points: slow is not dead, and nothing may be lost.

A schedule is played up to a step of the victim, which then stands still while the others go on until nobody can, or, where somebody
looks again and again, for many steps. Then it goes on, and so does everybody, to the end. Whatever is true of every schedule must be
true of this one: all programs end well, nothing is left, no detector speaks.

In processes the victim gets a real SIGSTOP and SIGCONT; as fibers it is passed over, which is the same for everybody else.
"""

from __future__ import annotations

from iopf.cython_ext.runqueue import End
from iopf.emulator.sched.judge import Bug
from iopf.tools.lab.play.processes import Players
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.failure import what
from iopf.tools.lab.search.kill import GONE, Tell, Tried, Victim, everywhere, naps

WHILE_STOPPED = 5000  # steps of the others, if they do not come to rest before


def stop_everywhere(
    lab: Lab, victim: Victim, *, seeds: range, players: Players | None, tell: Tell = None
) -> Tried:
    """Stops the victim at each of its steps in the schedule of each seed."""

    def stop(path: bytes, step: int) -> list[str]:
        return _stop_at(lab, victim, path, step, players)

    return everywhere(lab, victim, stop, seeds, tell)


def _stop_at(
    lab: Lab, victim: Victim, path: bytes, step: int, players: Players | None
) -> list[str]:
    """The failure in lines; empty when all is fine."""
    conductor = lab.conductor
    if not conductor.play_to(path, step):
        return [GONE]
    conductor.hold(victim.slot)
    if players is not None:
        players.stop(victim.slot)
    bug = conductor.go_on(max_steps=step + WHILE_STOPPED, stir=False)
    rest = conductor.ended == End.END_QUIET or (conductor.ended == End.END_STEPS and naps(lab))
    if players is not None:
        players.resume(victim.slot)
    if not rest:
        return ["while it was stopped: " + line for line in what(lab, bug)]
    if victim.slot in conductor.path[step:]:
        return ["it made a step while it was stopped"]
    conductor.let_go(victim.slot)
    bug = conductor.go_on(stir=False)
    return [] if bug == Bug.BUG_NONE else what(lab, bug)
