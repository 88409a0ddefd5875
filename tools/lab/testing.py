"""What the fixture `iopf_race` gives to a test (`emulator/sched/plugin.py` is the plugin)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

import pytest

from emulator.scenario.errors import ScenarioError
from emulator.sched.judge import Bug
from emulator.sched.schedule import Failure
from emulator.sched.schedule_file import ScheduleError, ScheduleFile, read
from emulator.sched.strategies import Strategy
from emulator.spec.classes import POOLS
from shm.arena import ArenaError
from tools.lab.players import Players
from tools.lab.races import lab_in, path_in, play_in, save_schedule
from tools.lab.search import (
    PORTFOLIO,
    Found,
    Plan,
    constraints_of,
    failure_of,
    search,
    shortest,
    what,
)
from tools.lab.system import MODELS, Lab, LabError, build_lab
from tools.lab.table import rows
from tools.lab.where import Where

_DEPTH_MOST = 15
_SCHEDULES_MOST = 2**62
_SEED_MOST = 2**63
_QUEUE_MOST = 16384
_SECTION = "iopf schedules"
_EXAMPLE = 'like ["map t0 4", "bind d0 t0"]'
_PLACE = re.compile(r"program\[(\d+)\]\.ops(?:\[(\d+)\])?")


def _fail(text: str) -> NoReturn:
    """Ends the test with these lines alone: no traceback, and not the errors that they were made of."""
    raise pytest.fail.Exception(text, pytrace=False) from None


@dataclass(frozen=True, slots=True)
class Settings:
    """Arguments of the marker `race`."""

    schedules: int = 1000
    seconds: float = 60.0
    depth: int | None = None
    seed: int = 1
    memory: str = "tso"
    mode: str = "fibers"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Fails the test with one line for an argument that does not exist or has no sense."""
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                _fail(f"race(): no argument '{name}'; there are {', '.join(known)}")
        made = cls(**given)
        for name, good, say in (
            ("schedules", _whole(made.schedules, 1, _SCHEDULES_MOST), "1 or more"),
            (
                "seconds",
                isinstance(made.seconds, int | float) and made.seconds > 0,
                "more than 0",
            ),
            (
                "depth",
                made.depth is None or _whole(made.depth, 1, _DEPTH_MOST),
                f"1 to {_DEPTH_MOST}",
            ),
            ("seed", _whole(made.seed, 0, _SEED_MOST), "0 to 2**63"),
            ("memory", made.memory in MODELS, "'sc' or 'tso'"),
            ("mode", made.mode in ("fibers", "processes"), "'fibers' or 'processes'"),
        ):
            if not good:
                _fail(f"race({name}={getattr(made, name)!r}): expected {say}")
        return made

    @property
    def plan(self) -> Plan:
        return PORTFOLIO if self.depth is None else [(int(Strategy.STRATEGY_PCT), self.depth)]


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _problem(programs: Sequence[Any], tables: Mapping[str, Any]) -> str:
    """What a call says that no scenario can judge, in one line, or nothing."""
    if not programs:
        return f"no program; give one list of lines or more, {_EXAMPLE}"
    for number, program in enumerate(programs):
        if isinstance(program, str) or not isinstance(program, Sequence):
            return f"program {number} is {program!r}; expected a list of lines, {_EXAMPLE}"
    for name in ("device", "tenant"):
        entries = tables.get(name, ())
        if isinstance(entries, str) or not isinstance(entries, Sequence):
            return f"{name}={entries!r}: expected a list of tables, like {name}=[{{...}}]"
    for name in ("memory", "still"):
        if name in tables:
            marker = "; write @pytest.mark.race(memory=...)" if name == "memory" else ""
            return f"{name} is no table of a scenario{marker}"
    live, records = tables.get("live") or {}, tables.get("queue_records", 0)
    pools = [*POOLS, "PASID"]
    if not isinstance(live, Mapping):
        return f"live={live!r}: expected numbers of objects by pool, like live={{'PASID': 1}}"
    for name, count in live.items():
        if name not in pools:
            return f"live: no pool is called {name!r}; there are {', '.join(pools)}"
        if not _whole(count, 0, _QUEUE_MOST):
            return f"live: {count!r} of {name}; expected 0 to {_QUEUE_MOST}"
    if records != 0 and (not _whole(records, 2, _QUEUE_MOST) or records & (records - 1)):
        return f"queue_records={records!r}: expected 0 or a power of two from 2 to {_QUEUE_MOST}"
    return ""


def _said(line: str, programs: Sequence[Sequence[str]]) -> str:
    """A line of a ScenarioError in words of the call: the program's own line instead of its place in a document."""
    text = line.removeprefix("programs: ").removeprefix("$.")
    place = _PLACE.match(text)
    if place is not None:
        number, rest = int(place[1]), text[place.end() :]
        line_of_it = "" if place[2] is None else f", {programs[number][int(place[2])]!r}"
        text = f"program {number}{line_of_it}{rest}"
    return text


@contextmanager
def _clear(programs: Sequence[Any], tables: Mapping[str, Any]) -> Iterator[None]:
    """Mistakes in a call end the test in one line each."""
    problem = _problem(programs, tables)
    if problem:
        _fail(problem)
    try:
        yield
    except ScenarioError as error:
        _fail("\n".join(_said(line, programs) for line in error.lines))
    except (LabError, ArenaError) as error:
        _fail(str(error))


def _told(lab: Lab, programs: Sequence[Sequence[str]], short: Failure) -> str:
    """Programs, schedule and constraints of the schedule that has just been played."""
    lines = ["programs:"]
    for number, program in enumerate(programs):
        lines += [""] * (number > 0) + [f"    {line}" for line in program]
    lines += ["", *rows(lab.conductor.trace, lab.names, Where(lab.plan.config))]
    constraints = constraints_of(lab, short)
    if constraints:
        lines += ["", "it takes no more than:", *(f"    {each}" for each in constraints)]
    return "\n".join(lines)


def _play(lab: Lab, schedule: ScheduleFile, file: Path) -> Bug:
    """Code that has been mended goes other ways: then whoever cannot go is passed over. Raises ScheduleError."""
    bug = play_in(lab, schedule, file)
    if bug == Bug.BUG_DIVERGED:
        bug = Bug(lab.conductor.replay(path_in(schedule, lab, file), loose=True))
    return bug


class IopfRace:
    """Call it with programs and tables (`iopf help programs`): the test fails when a schedule fails.

    `finds` is the opposite: the test fails unless a schedule fails, and the text of the failure is returned.
    `replay` plays a schedule file: the test fails when it still fails; with `fails=True`, when it does not any more.
    """

    def __init__(self, request: pytest.FixtureRequest, report: Any, called: Any) -> None:
        self._node, self._report, self._called = request.node, report, called
        self._node.stash[called] = False
        marker = request.node.get_closest_marker("race")
        if marker is not None and marker.args:
            _fail("race(): name the arguments, like race(schedules=1000)")
        self.settings = Settings.of(marker.kwargs if marker is not None else {})
        self._directory = Path(str(request.config.getoption("--iopf-schedules")))
        self._count = 0

    def __call__(self, *programs: Sequence[str], **tables: Any) -> Found:
        found, text = self._search(programs, tables, keep=True)
        if text:
            _fail(text)
        self._say(f"{self._played(found)}: none fails")
        return found

    def finds(self, *programs: Sequence[str], **tables: Any) -> str:
        found, _ = self._search(programs, tables, keep=False)
        if found.failure is None:
            _fail(f"no schedule of {found.schedules} fails")
        first = (found.what or [""])[0]
        self._say(f"{self._played(found)}: the last one fails as it has to, {first}")
        return first

    def replay(self, file: str | Path, *, fails: bool = False) -> str:
        """The first line of the failure, with `fails`; nothing otherwise."""
        self._node.stash[self._called] = True
        try:
            lines, text = self._replay(Path(file))
        except (ScheduleError, ArenaError) as error:
            _fail(str(error))
        if fails and not lines:
            _fail(f"{file}: does not fail any more")
        if lines and not fails:
            _fail("\n".join([*lines, f"iopf race replay {file}", "", text]))
        self._say(f"{file}: {'fails as it has to, ' + lines[0] if lines else 'does not fail'}")
        return lines[0] if lines else ""

    def _replay(self, file: Path) -> tuple[list[str], str]:
        """Lines of the failure, and the schedule; nothing when it does not fail."""
        schedule = read(file)
        with lab_in(schedule, file) as lab:
            bug = _play(lab, schedule, file)
            if bug == Bug.BUG_NONE:
                return [], ""
            lines = what(lab, bug)
            return lines, _told(lab, schedule.programs, failure_of(lab, bug))

    def _search(
        self, programs: Sequence[Sequence[str]], tables: Mapping[str, Any], *, keep: bool
    ) -> tuple[Found, str]:
        """What was found, and with `keep` the report of a failure, whose schedule is then in a file."""
        settings = self.settings
        self._node.stash[self._called] = True
        with (
            _clear(programs, tables),
            build_lab(*programs, memory=settings.memory, **tables) as lab,
        ):
            with Players(lab) if settings.mode == "processes" else nullcontext():
                found = search(
                    lab,
                    settings.seed,
                    seconds=settings.seconds,
                    most=settings.schedules,
                    plan=settings.plan,
                )
            text, file = "", None
            if found.failure is not None and keep:
                short = shortest(lab, found.failure)
                bug = Bug(lab.conductor.replay(short.path))
                if bug not in (Bug.BUG_NONE, Bug.BUG_DIVERGED):
                    found.what = what(lab, bug)  # of the schedule that is shown and written
                told = _told(lab, programs, short)
                file = self._file()
                save_schedule(
                    lab,
                    programs,
                    tables,
                    short,
                    found,
                    seed=settings.seed,
                    strategy="pytest",
                    to=file,
                )
                place = (
                    f"schedule {found.schedules} of seed {settings.seed}; iopf race replay {file}"
                )
                text = "\n".join([*(found.what or ["a schedule fails"]), place, "", told])
        self._properties(found, file)
        return found, text

    def _played(self, found: Found) -> str:
        return (
            f"{found.schedules:,} schedules of seed {self.settings.seed} in {found.seconds:.2f} s, "
            f"memory model {self.settings.memory}"
        )

    def _say(self, line: str) -> None:
        """In a section of the report: `pytest -rP` shows those of tests that pass."""
        sections = self._node.stash.setdefault(self._report, {})
        sections[_SECTION] = sections.get(_SECTION, "") + line + "\n"

    def _file(self) -> Path:
        self._directory.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w.-]+", "-", self._node.nodeid).strip("-")
        self._count += 1
        return self._directory / (
            f"{name}.json" if self._count == 1 else f"{name}-{self._count}.json"
        )

    def _properties(self, found: Found, file: Path | None) -> None:
        """For JUnit and whoever reads reports."""
        self._node.user_properties += [
            ("iopf_schedules", found.schedules),
            ("iopf_schedules_per_second", round(found.per_second)),
            ("iopf_seed", self.settings.seed),
            ("iopf_memory", self.settings.memory),
        ]
        if file is not None:
            self._node.user_properties.append(("iopf_schedule_file", str(file)))


def race_fixture(request: pytest.FixtureRequest, report: Any, called: Any) -> IopfRace:
    return IopfRace(request, report, called)
