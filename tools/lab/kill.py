"""Killing actors at their scheduling points, one point after another.

A schedule is played up to a step of the victim; the victim is dead before it makes it. What the supervisor of a run does
then is done here: a dead device is a surprise removal, a dead tenant an exit while bound (DESIGN rule 8), and the others go on to
the end. They must come to the end of their programs, and no detector may speak; an operation on what is gone may fail. A dead
kernel process or IOMMU is a crash of the machine: there the others need only come to rest.

In processes the victim gets a real SIGKILL; as fibers it is left standing, which is the same for everybody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from emulator.sched.judge import Bug
from emulator.spec.board import Order, slots_of
from tools.lab.players import Players
from tools.lab.search import PORTFOLIO, what
from tools.lab.system import Lab
from tools.supervisor.launch import KERNEL_ROLES

# How the others may end after a crash of the machine, besides well: what was half done may be seen, and a run ends there.
_AT_REST = (Bug.BUG_DEADLOCK, Bug.BUG_LEAK, Bug.BUG_ANSWER, Bug.BUG_VERDICT)


@dataclass(slots=True)
class Killed:
    """What came of killing one actor: points at which it was killed, and the failures: (step, seed, lines)."""

    actor: str
    role: str
    points: int = 0
    failures: list[tuple[int, int, list[str]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Victim:
    slot: int
    name: str
    role: str
    index: int


def victims(lab: Lab) -> list[Victim]:
    """Every actor with its role, in the order of slots."""
    found = []
    for role, (first, count) in slots_of(lab.plan.config).items():
        if role in ("total", "supervisor"):
            continue
        for index in range(count):
            found.append(Victim(first + index, lab.names[first + index], role, index))
    return sorted(found, key=lambda victim: victim.slot)


def kill_everywhere(
    lab: Lab,
    victim: Victim,
    *,
    seeds: range,
    players: Players | None,
    tell: Callable[[str], None] | None = None,
) -> Killed:
    """Kills the victim at each of its steps in the schedule of each seed."""
    killed = Killed(victim.name, victim.role)
    for seed in seeds:
        bug, _, _ = lab.conductor.explore(PORTFOLIO, seed, seed, 1)
        if bug != Bug.BUG_NONE:
            killed.failures.append((0, seed, what(lab, bug)))
            continue
        path = lab.conductor.path
        for step, slot in enumerate(path):
            if slot != victim.slot or step == 0:
                continue
            killed.points += 1
            lines = _kill_at(lab, victim, path, step, players)
            if lines:
                killed.failures.append((step, seed, lines))
        if tell is not None:
            tell(f"{victim.name}: seed {seed}, {killed.points} points")
    return killed


def _kill_at(
    lab: Lab, victim: Victim, path: bytes, step: int, players: Players | None
) -> list[str]:
    """The failure of the survivors in lines; empty when they are fine."""
    conductor = lab.conductor
    if not conductor.play_to(path, step):
        return ["the schedule does not come to this step again"]
    conductor.take_away(victim.slot)
    if players is not None:
        players.kill(victim.slot)
    _as_the_supervisor(lab, victim)
    bug = conductor.go_on(without=[victim.slot])
    crash = victim.role in KERNEL_ROLES
    fine = bug in (Bug.BUG_NONE, Bug.BUG_FAILED) or (crash and bug in _AT_REST)
    lines = [] if fine else what(lab, bug)
    if players is not None:
        players.replace(victim.slot)
    return lines


def _as_the_supervisor(lab: Lab, victim: Victim) -> None:
    """What `tools/supervisor/monitor.py` does when it sees the death."""
    control, plan = lab.control, lab.plan
    control.actor_dead(victim.slot)
    if victim.role == "device":
        control.device_gone(victim.index)
        params = plan.devices[victim.index].params
        control.program_dead(victim.slot, params["program"], params["program_count"])
        hotplug = slots_of(plan.config)["driver"][0]
        control.order(victim.index, Order.ORDER_REMOVE, hotplug)
    elif victim.role == "tenant":
        tenant = plan.tenants[victim.index]
        control.tenant_gone(victim.index)
        control.program_dead(victim.slot, tenant.first, tenant.count)
