# SPDX-License-Identifier: MIT
"""Races of the catalogue as labs, and schedule files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iopf.emulator.races.catalogue import Race
from iopf.emulator.races.schedule import Failure
from iopf.emulator.races.schedule_file import (
    FORMAT,
    ScheduleFile,
    build_id,
    points_id,
    segments,
    write,
)
from iopf.tools.lab.play.system import Lab, build_lab
from iopf.tools.lab.search.minimise import constraints_of
from iopf.tools.lab.search.search import Found


def lab_of(race: Race, *, defective: bool, memory: str = "tso") -> Lab:
    """Build the system of a variant. Raises ScenarioError, ArenaError, LabError."""
    return build_lab(*race.programs, memory=memory, **tables_of(race, defective=defective))


def tables_of(race: Race, *, defective: bool) -> dict[str, Any]:
    """The arguments of `build_lab` for a variant, except its programs."""
    made = race.document(defective=defective)
    return {**made, "live": race.leaks, "queue_records": race.queue_records}


@dataclass(frozen=True, slots=True)
class Origin:
    """What a failing schedule was found in, and how. `tables`: the arguments that the lab was built with; `race`: its slug, or empty."""

    programs: Sequence[Sequence[str]]
    tables: Mapping[str, Any]
    found: Found
    seed: int
    strategy: str
    race: str = ""


def schedule_file(lab: Lab, origin: Origin, short: Failure) -> ScheduleFile:
    """The minimised schedule, which runs last."""
    constraints = constraints_of(lab, short)
    lab.scheduler.replay(short.path)
    scenario = dict(origin.tables)
    live, queue_records = scenario.pop("live", None), scenario.pop("queue_records", 0)
    whole = bool(scenario.pop("whole", False))
    for name in ("memory", "still"):
        scenario.pop(name, None)
    return ScheduleFile(
        format=FORMAT,
        build=build_id(),
        points=points_id(),
        race=origin.race,
        programs=[list(program) for program in origin.programs],
        scenario=scenario,
        live=dict(live or {}),
        queue_records=queue_records,
        seed=origin.seed,
        strategy=origin.strategy,
        memory=lab.memory,
        still=lab.scheduler.still,
        whole=whole,
        failure=origin.found.what or [],
        preemptions=short.preemptions,
        segments=segments(short.path, lab.names),
        trace_hash=f"{lab.scheduler.trace_hash:016x}",
        constraints=None if constraints is None else [str(each) for each in constraints],
    )


def save_schedule(lab: Lab, origin: Origin, short: Failure, to: Path) -> None:
    """Write the file of `schedule_file`. Raises OSError."""
    write(schedule_file(lab, origin, short), to)
