"""Races of the catalogue in the lab, and schedules as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.scenario.errors import ScenarioError
from emulator.sched.catalogue import Race
from emulator.sched.constraints import MOST, ConstraintError, parse
from emulator.sched.judge import Bug
from emulator.sched.schedule import Failure
from emulator.sched.schedule_file import (
    FORMAT,
    ScheduleError,
    ScheduleFile,
    build_id,
    points_id,
    read,
    segments,
    write,
)
from tools.lab.search import Found, constraints_of, play_constraints, what
from tools.lab.system import Lab, LabError, build_lab


def lab_of(race: Race, *, defective: bool, memory: str = "tso") -> Lab:
    """The system of a variant. Raises ScenarioError, ArenaError, LabError."""
    return build_lab(*race.programs, memory=memory, **tables_of(race, defective=defective))


def tables_of(race: Race, *, defective: bool) -> dict[str, Any]:
    """Everything of a variant but its programs, as `build_lab` takes it."""
    made = race.document(defective=defective)
    return {**made, "live": race.leaks, "queue_records": race.queue_records}


def save_schedule(
    lab: Lab,
    programs: Sequence[Sequence[str]],
    tables: Mapping[str, Any],
    short: Failure,
    found: Found,
    *,
    seed: int,
    strategy: str,
    to: Path,
    race: str = "",
) -> None:
    """Writes the schedule that has just been replayed. `tables` is what the lab was built with. Raises OSError."""
    constraints = constraints_of(lab, short)
    lab.conductor.replay(short.path)
    scenario = dict(tables)
    live, queue_records = scenario.pop("live", None), scenario.pop("queue_records", 0)
    for name in ("memory", "still"):
        scenario.pop(name, None)
    write(
        ScheduleFile(
            format=FORMAT,
            build=build_id(),
            points=points_id(),
            race=race,
            programs=[list(program) for program in programs],
            scenario=scenario,
            live=dict(live or {}),
            queue_records=queue_records,
            seed=seed,
            strategy=strategy,
            memory=lab.memory,
            still=lab.conductor.still,
            failure=found.what or [],
            preemptions=short.preemptions,
            segments=segments(short.path, lab.names),
            trace_hash=f"{lab.conductor.trace_hash:016x}",
            constraints=None if constraints is None else [str(each) for each in constraints],
        ),
        to,
    )


def play_file(file: Path) -> str:
    """Plays a schedule file: the first line of its failure, or nothing. A file of a build with other points is played by its constraints.

    Raises ScheduleError when it fits this build in neither way."""
    schedule = read(file)
    with lab_in(schedule, file) as lab:
        bug = play_in(lab, schedule, file)
        if bug == Bug.BUG_DIVERGED:
            at = len(lab.conductor.trace) + 1
            raise ScheduleError(f"{file}: diverges at step {at}; search again and write a new one")
        return what(lab, bug)[0] if bug != Bug.BUG_NONE else ""


def play_in(lab: Lab, schedule: ScheduleFile, file: Path) -> Bug:
    """Plays it step by step, or by its constraints when it is of other points. Raises ScheduleError when these cannot be kept."""
    if schedule.points != points_id() and schedule.constraints is not None:
        bug, broken = play_constraints_in(lab, schedule, file)
        if broken:
            raise ScheduleError(f"{file}: its constraints cannot be kept; search again")
        return bug
    return Bug(lab.conductor.replay(path_in(schedule, lab, file)))


def lab_in(schedule: ScheduleFile, file: Path) -> Lab:
    """The system of a schedule file. Raises ScheduleError when there is none of this kind, ArenaError."""
    try:
        return build_lab(*schedule.programs, **schedule.tables)
    except ScenarioError as error:
        first, *rest = error.lines
        more = f" (and {len(rest)} more)" if rest else ""
        raise ScheduleError(f"{file}: {first}{more}") from None
    except LabError as error:
        raise ScheduleError(f"{file}: {error}") from None


def path_in(schedule: ScheduleFile, lab: Lab, file: Path) -> bytes:
    """The slot of every step. Raises ScheduleError for an actor that the system does not have."""
    try:
        return schedule.path(lab.names)
    except ScheduleError as error:
        raise ScheduleError(f"{file}: {error}") from None


def play_constraints_in(lab: Lab, schedule: ScheduleFile, file: Path) -> tuple[Bug, int]:
    """As `play_constraints`. Raises ScheduleError for a line that is none or names what the system does not have, or for too many."""
    lines = schedule.constraints or []
    if len(lines) > MOST:
        raise ScheduleError(f"{file}: constraints: {len(lines)}; at most {MOST} go together")
    try:
        return play_constraints(lab, [parse(line) for line in lines])
    except ConstraintError as error:
        raise ScheduleError(f"{file}: constraints: {error}") from None
