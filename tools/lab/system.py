"""A system under control: the same board, parts and programs as a run has, played step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from emulator.sched.conductor import Conductor
from emulator.scenario.load import Layer
from emulator.scenario.resolution import Resolved, resolve
from emulator.spec.board import Order, Phase, format_board, layout_hash, plan_layout, slots_of
from emulator.spec.control import Control
from emulator.spec.process import Process
from emulator.spec.snapshot import Snapshot
from shm.arena import Arena
from tools.supervisor.launch import parts
from tools.supervisor.plan import SystemPlan, plan_system
from tools.supervisor.system import configure, new_arena

STEPS = 20_000


class LabError(Exception):
    """The system does not come to the place where its schedules begin."""


@dataclass(slots=True)
class Lab:
    """A system whose every part stands at the beginning of the race. Create with ``build``; close it."""

    plan: SystemPlan
    arena: Arena
    control: Control
    snapshot: Snapshot
    conductor: Conductor
    names: list[str]
    must: list[int]

    @classmethod
    def build(cls, plan: SystemPlan) -> Lab:
        """Raises ArenaError when the machine cannot hold it, LabError when its beginning does not come to rest."""
        plan.config.update(controlled=STEPS, event_records=16)
        arena = new_arena(plan_layout(plan.config)["total"])
        try:
            format_board(
                arena.memory,
                plan.config,
                tick_mult=0,
                spins=0,
                yields=0,
                lockdep=True,
                poison=True,
                noise_yield_in=0,
                noise_sleep_in=0,
            )
            control, snapshot = Control(arena.memory), Snapshot(arena.memory)
            configure(plan, control)
            slots = slots_of(plan.config)
            names = ["supervisor"] + [""] * (slots["total"][1] - 1)
            processes, must = [], []
            for role, index, name, prepare in parts(plan):
                slot = slots[role][0] + index
                process = Process(arena.memory, slot)
                prepare(process)
                processes.append(process)
                names[slot] = name
                if _has_program(plan, role, index):
                    must.append(slot)
            conductor = Conductor(arena.memory, processes, must)
            lab = cls(plan, arena, control, snapshot, conductor, names, must)
            lab._to_the_start()
        except BaseException:
            arena.unlink()
            raise
        return lab

    def _to_the_start(self) -> None:
        hotplug = slots_of(self.plan.config)["driver"][0]
        for dev in range(len(self.plan.devices)):
            self.control.order(dev, Order.ORDER_PROBE, hotplug)
        for phase in (Phase.PHASE_PROBING, Phase.PHASE_RUNNING):
            self.control.set_phase(phase)
            self._settle()
        self.conductor.open()

    def _settle(self) -> None:
        end = self.conductor.settle()
        if end != 1:
            raise LabError(f"the system does not come to rest before its start (end {end})")

    def stuck(self) -> list[tuple[int, int, int, int, int, bool]]:
        """Where the actors stand whose programs have to come to their end: as `Conductor.standing`."""
        return [standing for standing in self.conductor.standing() if standing[0] in self.must]

    def close(self) -> None:
        self.conductor.close()
        self.arena.unlink()

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _has_program(plan: SystemPlan, role: str, index: int) -> bool:
    if role == "tenant":
        return plan.tenants[index].count > 0
    if role == "device":
        return bool(plan.devices[index].program)
    return role == "driver" and index > 0


def resolve_programs(*programs: Sequence[str], **tables: Any) -> Resolved:
    """The scenario of programs written in Python, small enough for many schedules a second."""
    small = {
        "iommu": {"prq_records": 128, "command_records": 64, "max_pasids": 16},
        "kernel": {"handlers": 1, "faults": 16, "groups": 16},
        "device": [{"credits": 8, "groups_in_flight": 4, "atc_entries": 16}],
        "tenant": [{"vmas": 2, "pages": 16}],
    }
    document = {
        key: {**small.get(key, {}), **value} if isinstance(value, dict) else value
        for key, value in {**small, **tables}.items()
    }
    document["program"] = [{"ops": list(ops)} for ops in programs]
    return resolve(None, [], {}, environ={}, made=Layer("programs", {"schema": 1, **document}))


def build_lab(*programs: Sequence[str], **tables: Any) -> Lab:
    """Raises ScenarioError, ArenaError, LabError."""
    resolved = resolve_programs(*programs, **tables)
    return Lab.build(plan_system(resolved.scenario, "lab", resolved.seed))
