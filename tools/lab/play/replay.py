"""Schedule files, played again: step by step, by the switches that they take, or as far as code that has changed goes their way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iopf.emulator.races.constraints import MOST, ConstraintError, parse
from iopf.emulator.races.schedule_file import ScheduleError, ScheduleFile, build_id, points_id
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.sched.judge import Bug
from iopf.emulator.spec.sites import point_name
from iopf.tools.lab.play.system import Lab, LabError, build_lab
from iopf.tools.lab.pytest.mistakes import in_their_words
from iopf.tools.lab.search.failure import check_lost, what
from iopf.tools.lab.search.minimise import play_constraints


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of a schedule. `failure`: in lines, none when it did not fail; `same`: the trace is the one that was written;
    `broken`: steps that could not keep to the constraints; `stuck`: at which step whose turn it was could not go, and where the step
    before was made; empty otherwise; `ordered`: it was played by its constraints."""

    bug: Bug
    failure: list[str]
    same: bool
    steps: int
    broken: int = 0
    stuck: str = ""
    ordered: bool = False

    @property
    def diverged(self) -> bool:
        """It was not played as it was written: whether it fails says nothing about that schedule."""
        if self.ordered:
            return self.broken > 0
        return bool(self.stuck) or (bool(self.failure) and not self.same)


def lab_in(schedule: ScheduleFile, file: Path) -> Lab:
    """The system of a schedule file. Raises ScheduleError when there is none of this kind, ArenaError."""
    try:
        lab = build_lab(*schedule.programs, **schedule.tables)
    except ScenarioError as error:
        first, *rest = in_their_words(error, schedule.programs, "scenario")
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
    """What the build that has written it has, and this one has not."""
    compared = (
        ("layout", build_id(), schedule.build),
        ("scheduling points", points_id(), schedule.points),
    )
    return [name for name, mine, theirs in compared if mine != theirs]


def replay_steps(lab: Lab, schedule: ScheduleFile, *, loose: bool = False) -> Replay:
    """Every step as it was written. With `loose` whoever cannot go is passed over: code that has been mended goes other ways."""
    path = schedule.path(lab.names)
    bug = Bug(lab.scheduler.replay(path, loose=loose))
    steps = lab.scheduler.trace
    same = _same(lab, schedule)
    if bug == Bug.BUG_DIVERGED:
        return Replay(bug, [], False, len(steps), stuck=_stuck(lab.names, path, steps))
    return Replay(bug, _lines(lab, bug), same, len(steps))


def replay_constraints(lab: Lab, schedule: ScheduleFile, file: Path) -> Replay:
    """Only the order of those steps that it takes. Raises ScheduleError for a line that is none or names what the system does not have,
    for too many, and for none."""
    lines = schedule.constraints
    if lines is None:
        raise ScheduleError(
            f"{file}: it has no constraints: its switches alone do not make it fail"
        )
    if len(lines) > MOST:
        raise ScheduleError(f"{file}: constraints: {len(lines)}; at most {MOST} go together")
    try:
        bug, broken = play_constraints(lab, [parse(line) for line in lines])
    except ConstraintError as error:
        raise ScheduleError(f"{file}: constraints: {error}") from None
    steps = len(lab.scheduler.trace)
    return Replay(Bug(bug), _lines(lab, bug), _same(lab, schedule), steps, broken, ordered=True)


def replay_test(lab: Lab, schedule: ScheduleFile, file: Path) -> Replay:
    """As a regression test plays it, whose code has changed since: by its constraints where the points are others, else step by step,
    loosely behind the first step that cannot be made. Raises ScheduleError when neither can be done."""
    if schedule.points != points_id() and schedule.constraints is not None:
        played = replay_constraints(lab, schedule, file)
        if played.broken:
            raise ScheduleError(f"{file}: its constraints cannot be kept; search again")
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
        text += f"; the step before is {names[slot]} at {point_name(point)}"
    return text
