"""Races of the catalogue in the lab: their systems, and their schedules as files."""

from __future__ import annotations

from pathlib import Path

from emulator.sched.catalogue import Race
from emulator.sched.schedule import Failure
from emulator.sched.schedule_file import FORMAT, ScheduleFile, build_id, points_id, segments, write
from tools.lab.search import Found
from tools.lab.system import Lab, build_lab


def lab_of(race: Race, *, defective: bool) -> Lab:
    """The system of a variant. Raises ScenarioError, ArenaError, LabError."""
    return build_lab(*race.programs, **race.document(defective=defective))


def save(
    lab: Lab,
    race: Race,
    short: Failure,
    found: Found,
    *,
    seed: int,
    strategy: str,
    to: str,
    defective: bool,
) -> None:
    """Writes the schedule that has just been replayed. Raises OSError."""
    write(
        ScheduleFile(
            format=FORMAT,
            build=build_id(),
            points=points_id(),
            race=race.slug,
            programs=race.programs,
            scenario=race.document(defective=defective),
            seed=seed,
            strategy=strategy,
            memory="sc",
            failure=found.what or [],
            preemptions=short.preemptions,
            segments=segments(short.path, lab.names),
            trace_hash=f"{lab.conductor.trace_hash:016x}",
        ),
        Path(to),
    )
