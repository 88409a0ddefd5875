# SPDX-License-Identifier: MIT
"""Replay of schedule files: step by step, by ordering constraints, or loosely when the code has changed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from iopf.emulator.races.constraints import MOST, Constraint, ConstraintError, parse
from iopf.emulator.races.schedule_file import ScheduleError, ScheduleFile, build_id, points_id
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.sched.judge import Bug
from iopf.emulator.spec.sites import point_name
from iopf.tools.lab.play.mistakes import located_errors
from iopf.tools.lab.play.system import Lab, LabError, build_lab
from iopf.tools.lab.search.failure import check_lost, what
from iopf.tools.lab.search.minimise import play_constraints


@dataclass(frozen=True, slots=True)
class Replay:
    """Result of a replay. `failure`: lines, empty without a failure; `same`: the trace equals the recorded one; `broken`: steps that
    violated the constraints; `stuck`: the first step whose actor was not runnable, and the step before it, else empty; `ordered`:
    replayed by constraints."""

    bug: Bug
    failure: list[str]
    same: bool
    steps: int
    broken: int = 0
    stuck: str = ""
    ordered: bool = False

    @property
    def diverged(self) -> bool:
        """Whether the replay left the recorded schedule: a failure then says nothing about that schedule."""
        if self.ordered:
            return self.broken > 0
        return bool(self.stuck) or (bool(self.failure) and not self.same)


def lab_in(schedule: ScheduleFile, file: Path) -> Lab:
    """Build the system of a schedule file. Raises ScheduleError when the file does not describe one, and ArenaError."""
    try:
        lab = build_lab(*schedule.programs, **schedule.tables)
    except ScenarioError as error:
        first, *rest = located_errors(error, schedule.programs, "scenario")
        more = f" (and {len(rest)} more)" if rest else ""
        raise ScheduleError(f"{file}: {first}{more}") from None
    except LabError as error:
        raise ScheduleError(f"{file}: {error}") from None
    try:
        schedule.path(lab.names)
    except ScheduleError as error:
        lab.close()
        raise ScheduleError(f"{file}: {error}") from None
    return lab


def other_build(schedule: ScheduleFile) -> list[str]:
    """Properties in which this build differs from the one that wrote the file."""
    compared = (
        ("layout", build_id(), schedule.build),
        ("scheduling points", points_id(), schedule.points),
    )
    return [name for name, mine, theirs in compared if mine != theirs]


def replay_steps(lab: Lab, schedule: ScheduleFile, *, loose: bool = False) -> Replay:
    """Replay every recorded step. `loose` skips steps whose actor is not runnable, for code that has changed."""
    path = schedule.path(lab.names)
    bug = Bug(lab.scheduler.replay(path, loose=loose))
    steps = lab.scheduler.trace
    same = _same(lab, schedule)
    if bug == Bug.BUG_DIVERGED:
        return Replay(bug, [], False, len(steps), stuck=_stuck(lab.names, path, steps))
    return Replay(bug, _lines(lab, bug), same, len(steps))


def replay_constraints(lab: Lab, schedule: ScheduleFile, file: Path) -> Replay:
    """Replay with only the ordering constraints fixed. Raises ScheduleError for an invalid constraint, for too many, and when the file
    has none."""
    lines = schedule.constraints
    if lines is None:
        raise ScheduleError(
            f"{file}: no constraints: orderings of steps alone do not reproduce this failure"
        )
    if len(lines) > MOST:
        raise ScheduleError(f"{file}: constraints: {len(lines)}; at most {MOST} are supported")
    try:
        bug, broken = play_constraints(lab, [parse(line) for line in lines])
    except ConstraintError as error:
        raise ScheduleError(f"{file}: constraints: {error}") from None
    steps = len(lab.scheduler.trace)
    return Replay(Bug(bug), _lines(lab, bug), _same(lab, schedule), steps, broken, ordered=True)


def constraints_in(schedule: ScheduleFile) -> list[Constraint]:
    """The valid constraints of a file, to be shown; `replay_constraints` refuses a file with others."""
    found = []
    for line in schedule.constraints or []:
        with suppress(ConstraintError):
            found.append(parse(line))
    return found[:MOST]


def replay_test(lab: Lab, schedule: ScheduleFile, file: Path) -> Replay:
    """Replay for a regression test whose code may have changed: by constraints if the scheduling points differ, else step by step,
    loosely after the first step that is not possible. Raises ScheduleError when neither works."""
    if schedule.points != points_id() and schedule.constraints is not None:
        played = replay_constraints(lab, schedule, file)
        if played.broken:
            raise ScheduleError(f"{file}: its constraints cannot be satisfied; search again")
        return played
    played = replay_steps(lab, schedule)
    return replay_steps(lab, schedule, loose=True) if played.stuck else played


def _same(lab: Lab, schedule: ScheduleFile) -> bool:
    return f"{lab.scheduler.trace_hash:016x}" == schedule.trace_hash


def _lines(lab: Lab, bug: int) -> list[str]:
    check_lost(lab, bug)
    return [] if bug == Bug.BUG_NONE else what(lab, bug)


def _stuck(
    names: Sequence[str], path: bytes, steps: Sequence[tuple[int, int, int, int, int]]
) -> str:
    at = len(steps)
    text = f"{names[path[at]]} cannot make step {at + 1} of {len(path)}"
    if steps:
        slot, point, *_ = steps[-1]
        text += f"; the previous step is {names[slot]} at {point_name(point)}"
    return text
