"""Killing actors at their scheduling points, one point after another, and pairs of actors.

A schedule is played up to a step of the victim; the victim is dead before it makes it. What the supervisor of a run does
then is done here: a dead device is a surprise removal, a dead tenant an exit while bound (DESIGN rule 8), and the others go on to
the end. They must come to the end of their programs, and no detector may speak; an operation on what is gone may fail. A dead
kernel process or IOMMU is a crash of the machine: there the others need only come to rest. Of a pair, the second dies at one of the
steps that it makes after the first has died.

In processes the victim gets a real SIGKILL; as fibers it is left standing, which is the same for everybody else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from iopf.cython_ext.runqueue import End
from iopf.emulator.sched.judge import Bug
from iopf.emulator.spec.roles import Order, slots_of
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.system import STEPS, Lab
from iopf.tools.lab.search.failure import what
from iopf.tools.lab.search.search import PORTFOLIO
from iopf.tools.supervisor.launch import KERNEL_ROLES

# How the others may end after a crash of the machine, besides well: what was half done may be seen, and a run ends there.
_AT_REST = (Bug.BUG_DEADLOCK, Bug.BUG_LEAK, Bug.BUG_ANSWER, Bug.BUG_VERDICT)
_LOOKS = 500  # steps in which somebody who looks again by the clock has slept at least once
_DRAWS = 10  # for a pair of points: the second may have no step left after the death of the first
Tell = Callable[[str], None] | None
GONE = "the schedule does not come to this step again"


@dataclass(slots=True)
class Tried:
    """What came of killing or stopping one actor: at how many points, and the failures: (step, seed, lines)."""

    actor: str
    role: str
    points: int = 0
    failures: list[tuple[int, int, list[str]]] = field(default_factory=list)


@dataclass(slots=True)
class TriedPair:
    """What came of killing two actors: how many pairs of points, and the failures: (step of the first, of the second, seed, lines)."""

    first: str
    second: str
    points: int = 0
    failures: list[tuple[int, int, int, list[str]]] = field(default_factory=list)


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


def points_of(
    lab: Lab, victim: Victim, seeds: range, tried: Tried
) -> Iterator[tuple[int, bytes, int]]:
    """(seed, path, step) of every step of the victim in the schedule of each seed, but for the first step of a schedule, which nothing
    comes before. A schedule that fails by itself is noted as a failure at step 0. Stores are not delayed here."""
    lab.follow("sc")
    for seed in seeds:
        lab.scheduler.reset_strategies()
        bug, _, _ = lab.scheduler.explore(PORTFOLIO, seed, seed, 1)
        if bug != Bug.BUG_NONE:
            tried.failures.append((0, seed, what(lab, bug)))
            continue
        path = lab.scheduler.path
        for step in _steps_of(path, victim, 1):
            yield seed, path, step


def _steps_of(path: bytes, victim: Victim, first: int) -> list[int]:
    return [step for step in range(first, len(path)) if path[step] == victim.slot]


def kill_everywhere(
    lab: Lab, victim: Victim, *, seeds: range, procs: ActorProcesses | None, tell: Tell = None
) -> Tried:
    """Kills the victim at each of its steps in the schedule of each seed."""

    def kill(path: bytes, step: int) -> list[str]:
        return _kill_at(lab, path, [(victim, step)], procs)

    return everywhere(lab, victim, kill, seeds, tell)


def everywhere(
    lab: Lab, victim: Victim, harm: Callable[[bytes, int], list[str]], seeds: range, tell: Tell
) -> Tried:
    """Does `harm` before each step of the victim in the schedule of each seed; it says what failed, in lines."""
    tried = Tried(victim.name, victim.role)
    for seed, path, step in points_of(lab, victim, seeds, tried):
        tried.points += 1
        lines = harm(path, step)
        if lines:
            tried.failures.append((step, seed, lines))
        if tell is not None and tried.points % 100 == 0:
            tell(f"{victim.name}: {tried.points} points")
    return tried


def kill_pairs(
    lab: Lab,
    first: Victim,
    second: Victim,
    *,
    most: int,
    seeds: range,
    procs: ActorProcesses | None,
) -> TriedPair:
    """Kills both at so many pairs of points, drawn at random and the same every time; fewer where the second makes no more steps."""
    draw = random.Random(f"{first.slot} {second.slot} {seeds.start}")
    alone = Tried(first.name, first.role)
    tried = TriedPair(first.name, second.name)
    points = list(points_of(lab, first, seeds, alone))
    tried.failures += [(step, 0, seed, lines) for step, seed, lines in alone.failures]
    for _ in range(most if points else 0):
        for _ in range(_DRAWS):
            seed, path, step = draw.choice(points)
            _kill_at(lab, path, [(first, step)], procs)
            steps = _steps_of(lab.scheduler.path[: 2 * len(path)], second, step)
            if steps:
                break
        else:
            break
        at = draw.choice(steps)
        tried.points += 1
        lines = _kill_at(lab, path, [(first, step), (second, at)], procs)
        if lines:
            tried.failures.append((step, at, seed, lines))
    return tried


def _kill_at(
    lab: Lab, path: bytes, deaths: Sequence[tuple[Victim, int]], procs: ActorProcesses | None
) -> list[str]:
    """Kills one after the other, each before a step; the failure of the survivors in lines, empty when they are fine."""
    scheduler = lab.scheduler
    dead: list[int] = []
    bug = Bug.BUG_NONE
    try:
        for victim, step in deaths:
            if not (_reach(lab, step, dead) if dead else scheduler.run_to(path, step)):
                return [GONE]
            scheduler.kill(victim.slot)
            dead.append(victim.slot)
            if procs is not None:
                procs.kill(victim.slot)
            _as_the_supervisor(lab, victim)
        bug = scheduler.continue_schedule(without=dead, max_steps=STEPS - _LOOKS)
        if bug in (Bug.BUG_NONE, Bug.BUG_FAILED):
            return []
        crash = any(victim.role in KERNEL_ROLES for victim, _ in deaths)
        if crash and (bug in _AT_REST or (bug == Bug.BUG_LIVELOCK and naps(lab))):
            return []
        return what(lab, bug)
    finally:
        if procs is not None:
            for slot in dead:
                procs.replace(slot)


def naps(lab: Lab) -> bool:
    """Whether the others are at rest but for somebody who looks again by the clock: time leaps once more within the next steps."""
    before = lab.scheduler.leapt_ns
    lab.scheduler.continue_schedule(max_steps=len(lab.scheduler.path) + _LOOKS, recheck=False)
    return lab.scheduler.leapt_ns > before


def _reach(lab: Lab, step: int, dead: list[int]) -> bool:
    """Plays on from one death to the step of the next one."""
    lab.scheduler.continue_schedule(without=dead, max_steps=step)
    return lab.scheduler.ended == End.END_STEPS and len(lab.scheduler.path) == step


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
