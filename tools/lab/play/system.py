# SPDX-License-Identifier: MIT
"""A system under control: the board, entry functions and programs of an ordinary run, executed step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import msgspec
from iopf.cython_ext.runqueue import FIRST_DRAIN
from iopf.emulator.board.board import format_board
from iopf.emulator.board.config import Option
from iopf.emulator.board.control import Control
from iopf.emulator.board.layout import plan_layout
from iopf.emulator.board.process import Process
from iopf.emulator.board.snapshot import Snapshot
from iopf.emulator.program.errors import ProgramError
from iopf.emulator.races.schedule_file import MEMORIES, STEPS_MOST
from iopf.emulator.scenario.convert import check_document
from iopf.emulator.scenario.crosscheck import compiled
from iopf.emulator.scenario.expand import devices
from iopf.emulator.scenario.load import Layer
from iopf.emulator.scenario.resolution import Resolved, resolve
from iopf.emulator.scenario.schema import Scenario
from iopf.emulator.sched.explorer import Explorer
from iopf.emulator.spec.classes import POOLS
from iopf.emulator.spec.roles import Order, Phase, slots_of
from iopf.shm.arena import Arena
from iopf.tools.closing import Closing
from iopf.tools.supervisor.launch import entries
from iopf.tools.supervisor.plan import SystemPlan, plan_system
from iopf.tools.supervisor.programs import failed_lines, line_results
from iopf.tools.supervisor.system import configure, new_arena

STEPS = STEPS_MOST
MODELS = MEMORIES
PROCESSES_MOST = 31
_PASIDS = 15
_BUILDING = Lock()  # two threads would choose the same shared-memory name


class LabError(Exception):
    """The system does not reach the start of its schedules."""


class LabOpenError(Exception):
    """A process can control one system at a time."""

    def __init__(self) -> None:
        super().__init__(
            "a process can have one lab open at a time: build labs in one thread, and close the previous one"
        )


@dataclass(slots=True)
class Lab(Closing):
    """A system in the initial state of its schedules. Create it with ``build``; close it."""

    plan: SystemPlan
    arena: Arena
    control: Control
    snapshot: Snapshot
    scheduler: Explorer
    names: list[str]
    must: list[int]
    live: dict[str, int]
    explores: str = "sc"

    @classmethod
    def build(
        cls, plan: SystemPlan, live: Mapping[str, int] | None = None, *, whole: bool = False
    ) -> Lab:
        """`live`: expected live objects by pool when all programs have finished; any difference is a leak. `whole`: schedules begin at the
        first step of every tenant, device and driver program instead of after `start`, and workloads must finish too.

        Raises ArenaError when the machine has too little memory, LabError when the system has too many processes or does not block before
        its start, LabOpenError while another lab of this process is open."""
        processes_of(plan)
        with _BUILDING:
            try:
                return cls._built(plan, live, whole=whole)
            except BlockingIOError:
                raise LabOpenError from None

    @classmethod
    def _built(cls, plan: SystemPlan, live: Mapping[str, int] | None, *, whole: bool) -> Lab:
        arena = controlled_board(plan)
        scheduler: Explorer | None = None
        try:
            control, snapshot = Control(arena.memory), Snapshot(arena.memory)
            configure(plan, control)
            slots = slots_of(plan.config)
            names = ["supervisor"] + [""] * (slots["total"][1] - 1)
            processes, must, users = [], [], []
            for role, index, name, prepare in entries(plan):
                slot = slots[role][0] + index
                process = Process(arena.memory, slot)
                prepare(process)
                processes.append(process)
                names[slot] = name
                if _has_program(plan, role, index) or (whole and role == "device"):
                    must.append(slot)
                if role in ("tenant", "device") or (role == "driver" and index > 0):
                    users.append(slot)
            expected = {_place(name): number for name, number in (live or {}).items()}
            scheduler = Explorer(arena.memory, processes, must, expected)
            if len(names) <= FIRST_DRAIN:
                idle = [""] * (FIRST_DRAIN - len(names))
                names += [*idle, *(f"{name}'s stores" for name in names)]
            lab = cls(plan, arena, control, snapshot, scheduler, names, must, dict(live or {}))
            lab._to_the_start(users if whole else [])
        except BaseException:
            if scheduler is not None:
                scheduler.close()
            arena.unlink()
            raise
        return lab

    def _to_the_start(self, waiting: Sequence[int]) -> None:
        """Run up to the initial state of the schedules. The actors in `waiting` run no step."""
        for slot in waiting:
            self.scheduler.hold(slot)
        hotplug = slots_of(self.plan.config)["driver"][0]
        for dev in range(len(self.plan.devices)):
            self.control.order(dev, Order.ORDER_PROBE, hotplug)
        for phase in (Phase.PHASE_PROBING, Phase.PHASE_RUNNING):
            self.control.set_phase(phase)
            self._settle()
        for slot in waiting:
            self.scheduler.release(slot)
        self.scheduler.open()

    def _settle(self) -> None:
        end = self.scheduler.settle()
        if end != 1:
            raise LabError(f"the system does not block before its start (end {end})")

    @property
    def memory(self) -> str:
        """Memory model of the next schedule; a search sets it to `explores`. Always sc with more than 15 processes."""
        return "tso" if self.scheduler.tso else "sc"

    def follow(self, memory: str) -> None:
        self.scheduler.tso = memory == "tso"

    def stuck(self) -> list[tuple[int, int, int, int, int, bool]]:
        """Positions of the actors whose programs must finish, as `Scheduler.positions` returns them."""
        return [standing for standing in self.scheduler.positions() if standing[0] in self.must]

    def failed(self) -> list[dict[str, Any]]:
        """Program lines that failed in the last schedule without permission to fail, as `line_results` returns them."""
        return failed_lines(line_results(self.plan, self.snapshot))

    def leaks(self) -> list[str]:
        """Differences from the expected live objects, one line per pool."""
        found = {
            name: pool["allocs"] - pool["frees"] for name, pool in self.snapshot.pools().items()
        }
        found["PASID"] = self.snapshot.pasids_used()
        return [
            f"leak: {found[name]} of {name} are in use at the end, expected {number}"
            for name, number in self.live.items()
            if found[name] != number
        ]

    def close(self) -> None:
        self.scheduler.close()
        self.arena.unlink()


def processes_of(plan: SystemPlan) -> int:
    """Number of processes besides the supervisor. Raises LabError when it exceeds the limit."""
    count = int(slots_of(plan.config)["total"][1]) - 1
    if count > PROCESSES_MOST:
        raise LabError(
            f"{count} processes; a controlled run supports {PROCESSES_MOST}: "
            "use fewer devices, tenants, handlers or drivers"
        )
    return count


def controlled_board(plan: SystemPlan) -> Arena:
    """Create and format the board of a controlled system. Raises ArenaError."""
    options = plan.config["options"] & ~int(Option.OPTION_STEPS)
    plan.config.update(controlled=STEPS, event_records=16, options=options)
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
        arena.publish_controlled()
    except BaseException:
        arena.unlink()
        raise
    return arena


def _place(name: str) -> int:
    """Index at which the scheduler counts the live objects of a pool, or the PASIDs in use."""
    return _PASIDS if name == "PASID" else POOLS.index(name)


def _has_program(plan: SystemPlan, role: str, index: int) -> bool:
    if role == "tenant":
        return plan.tenants[index].count > 0
    if role == "device":
        return bool(plan.devices[index].program)
    return role == "driver" and index > 0


# Small enough for many schedules per second. A scenario overrides them.
_SMALL_TABLES: dict[str, dict[str, Any]] = {
    "system": {"seed": 1},
    "iommu": {"prq_records": 128, "command_records": 64, "max_pasids": 16},
    "kernel": {"handlers": 1, "faults": 16, "groups": 16},
}
_SMALL_ENTRIES: dict[str, dict[str, Any]] = {
    "device": {"credits": 8, "groups_in_flight": 4, "atc_entries": 16},
    "tenant": {"vmas": 2, "pages": 16},
}


def resolve_programs(programs: Sequence[Sequence[str]], tables: Mapping[str, Any]) -> Resolved:
    """Resolve programs written in Python, with small tables where `tables` gives none. Raises ScenarioError."""
    document: dict[str, Any] = {"schema": 1, **tables}
    for name, small in _SMALL_TABLES.items():
        document[name] = _over(small, tables.get(name, {}))
    for name, smaller in _SMALL_ENTRIES.items():
        entries = tables.get(name, [{}])
        if isinstance(entries, Sequence):
            document[name] = [_over(smaller, entry) for entry in entries]
    document["program"] = [{"ops": list(ops)} for ops in programs]
    if not check_document(document):
        document["program"] += [{"ops": ops} for ops in _idle(document)]
    return resolve(None, [], {}, environ={}, made=Layer("programs", document))


def _idle(document: Mapping[str, Any]) -> list[list[str]]:
    """Idle programs for the devices that no program names and that have no workload. None when the programs are invalid."""
    scenario = msgspec.convert(document, Scenario)
    try:
        named = compiled(scenario).devices
    except ProgramError:
        return []
    return [
        [f"await {device.name}"]
        for number, device in enumerate(devices(scenario))
        if number not in named and "workload" not in document["device"][device.entry]
    ]


def _over(small: Mapping[str, Any], said: Any) -> Any:
    """Defaults overridden by the scenario. A value that is not a table is kept, so that the scenario's reader rejects it."""
    return {**small, **said} if isinstance(said, Mapping) else said


def build_lab(
    *programs: Sequence[str],
    live: Mapping[str, int] | None = None,
    queue_records: int = 0,
    memory: str = "tso",
    still: bool = False,
    whole: bool = False,
    **tables: Any,
) -> Lab:
    """Build a lab from programs and the other tables of a scenario, by name.

    `live`, `whole`: see `Lab.build`. `queue_records`: size of the page request queue, a power of two; less than the hardware minimum is
    allowed, so that few steps overflow it. `memory`: memory model of the schedules, "sc" or "tso". `still`: virtual time advances only
    when no actor is runnable. Raises ScenarioError, ArenaError, LabError, and ValueError for another model.
    """
    if memory not in MODELS:
        raise ValueError(f"memory model {memory!r}; expected one of {', '.join(MODELS)}")
    resolved = resolve_programs(programs, tables)
    plan = plan_system(resolved.scenario, "lab", resolved.seed)
    if queue_records:
        plan.config["prq_records"] = queue_records
    lab = Lab.build(plan, live, whole=whole)
    lab.explores = memory if len(lab.names) > FIRST_DRAIN else "sc"
    lab.follow(lab.explores)
    lab.scheduler.still = still
    return lab
