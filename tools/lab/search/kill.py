# SPDX-License-Identifier: MIT
"""Killing single actors, and pairs of actors, at each of their scheduling points.

A schedule runs up to a step of the victim, which dies before this step. The code then does what the supervisor does in a run: a dead
device is a surprise removal, a dead tenant exits while bound. The remaining actors must finish their programs and no detector may
fire; an operation on a removed object may fail. A dead kernel process or IOMMU is a machine crash: the remaining actors then need only
block. Of a pair, the second dies at one of the steps that it runs after the death of the first.

In processes the victim gets a real SIGKILL; a fiber is no longer scheduled, which is equivalent for the other actors.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from iopf.cython_ext.runqueue import End
from iopf.emulator.sched.judge import Bug
from iopf.emulator.spec.roles import Order, slots_of
from iopf.emulator.spec.text import counted
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.system import STEPS, Lab
from iopf.tools.lab.search.failure import what
from iopf.tools.lab.search.search import PORTFOLIO
from iopf.tools.supervisor.launch import KERNEL_ROLES

# Acceptable ends after a machine crash: detectors may see incomplete operations, and a run ends there.
_AT_REST = (Bug.BUG_DEADLOCK, Bug.BUG_LEAK, Bug.BUG_ANSWER, Bug.BUG_VERDICT)
_LOOKS = 500  # steps within which a polling actor has slept at least once
_DRAWS = 10  # attempts per pair: the second may have no step after the first's death
Tell = Callable[[str], None] | None
GONE = "the schedule does not reach this step again"


@dataclass(slots=True)
class Tried:
    """Result of killing or stopping one actor: number of points, and failures as (step, seed, lines)."""

    actor: str
    role: str
    points: int = 0
    failures: list[tuple[int, int, list[str]]] = field(default_factory=list)


@dataclass(slots=True)
class TriedPair:
    """Result of killing two actors: number of pairs of points, and failures as (step of the first, of the second, seed, lines)."""

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
    """Every actor with its role, ordered by slot."""
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
    """(seed, path, step) of every step of the victim in the schedule of each seed, except the first step of a schedule. A schedule
    that fails by itself is recorded as a failure at step 0. Stores are not delayed here."""
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
    """Kill the victim at each of its steps in the schedule of each seed."""

    def kill(path: bytes, step: int) -> list[str]:
        return _kill_at(lab, path, [(victim, step)], procs)

    return everywhere(lab, victim, kill, seeds, tell)


def everywhere(
    lab: Lab, victim: Victim, harm: Callable[[bytes, int], list[str]], seeds: range, tell: Tell
) -> Tried:
    """Call `harm` before each step of the victim in the schedule of each seed; it returns the failure as lines."""
    tried = Tried(victim.name, victim.role)
    for seed, path, step in points_of(lab, victim, seeds, tried):
        tried.points += 1
        lines = harm(path, step)
        if lines:
            tried.failures.append((step, seed, lines))
        if tell is not None and tried.points % 100 == 0:
            tell(f"{victim.name}: {counted(tried.points, 'point')}")
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
    """Kill both at `most` reproducible random pairs of points; fewer if the second runs no more steps."""
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
    """Kill the victims in order, each before its step; return the failure of the survivors as lines."""
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
    """Whether all other actors are blocked or polling: virtual time jumps again within the next steps."""
    before = lab.scheduler.leapt_ns
    lab.scheduler.continue_schedule(max_steps=len(lab.scheduler.path) + _LOOKS, recheck=False)
    return lab.scheduler.leapt_ns > before


def _reach(lab: Lab, step: int, dead: list[int]) -> bool:
    """Continue from one death to the step of the next one."""
    lab.scheduler.continue_schedule(without=dead, max_steps=step)
    return lab.scheduler.ended == End.END_STEPS and len(lab.scheduler.path) == step


def _as_the_supervisor(lab: Lab, victim: Victim) -> None:
    """Do what `tools/supervisor/monitor.py` does when it sees the death."""
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
