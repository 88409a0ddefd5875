"""What the fixture `iopf_race` gives to a test (`emulator/sched/plugin.py` is the plugin)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from emulator.sched.schedule import Failure
from emulator.sched.schedule_file import ScheduleError
from emulator.sched.strategies import Strategy
from tools.lab.players import Players
from tools.lab.races import play_file, save_schedule
from tools.lab.search import PORTFOLIO, Found, Plan, search, shortest
from tools.lab.system import MODELS, build_lab
from tools.lab.table import rows
from tools.lab.where import Where

_DEPTH_MOST = 15


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
        """Raises pytest.UsageError with one line for an argument that does not exist or has no sense."""
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise pytest.UsageError(
                    f"race(): no argument '{name}'; there are {', '.join(known)}"
                )
        made = cls(**given)
        for name, good, say in (
            ("schedules", isinstance(made.schedules, int) and made.schedules > 0, "1 or more"),
            ("seconds", made.seconds > 0, "more than 0"),
            (
                "depth",
                made.depth is None or made.depth in range(1, _DEPTH_MOST + 1),
                f"1 to {_DEPTH_MOST}",
            ),
            ("memory", made.memory in MODELS, "'sc' or 'tso'"),
            ("mode", made.mode in ("fibers", "processes"), "'fibers' or 'processes'"),
        ):
            if not good:
                raise pytest.UsageError(f"race({name}={getattr(made, name)!r}): expected {say}")
        return made

    @property
    def plan(self) -> Plan:
        return PORTFOLIO if self.depth is None else [(int(Strategy.STRATEGY_PCT), self.depth)]


class IopfRace:
    """Call it with programs and tables (`iopf help programs`): the test fails when a schedule fails.

    `finds` is the opposite: the test fails unless a schedule fails, and the text of the failure is returned.
    `replay` plays a schedule file and returns the text of its failure, empty when it does not fail.
    """

    def __init__(self, request: pytest.FixtureRequest, report: Any) -> None:
        marker = request.node.get_closest_marker("race")
        if marker is not None and marker.args:
            raise pytest.UsageError("race(): name the arguments, like race(schedules=1000)")
        self.settings = Settings.of(marker.kwargs if marker is not None else {})
        self._node, self._report = request.node, report
        self._directory = Path(str(request.config.getoption("--iopf-schedules")))
        self._count = 0

    def __call__(self, *programs: Sequence[str], **tables: Any) -> Found:
        found, text, file = self._search(programs, tables, keep=True)
        if text:
            self._node.stash.setdefault(self._report, []).append(("iopf schedule", text))
            what = (found.what or ["a schedule fails"])[0]
            pytest.fail(
                f"{what}\nschedule {found.schedules} of seed {self.settings.seed}; iopf race replay {file}\n\n{text}",
                pytrace=False,
            )
        return found

    def finds(self, *programs: Sequence[str], **tables: Any) -> str:
        found, _, _ = self._search(programs, tables, keep=False)
        if found.failure is None:
            pytest.fail(f"no schedule of {found.schedules} fails", pytrace=False)
        return (found.what or [""])[0]

    def replay(self, file: str | Path) -> str:
        try:
            return play_file(Path(file))
        except ScheduleError as error:
            pytest.fail(str(error), pytrace=False)

    def _search(
        self, programs: Sequence[Sequence[str]], tables: Mapping[str, Any], *, keep: bool
    ) -> tuple[Found, str, Path | None]:
        settings = self.settings
        with build_lab(*programs, memory=settings.memory, **tables) as lab:
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
                short: Failure = shortest(lab, found.failure)
                lab.conductor.replay(short.path)
                text = "\n".join(rows(lab.conductor.trace, lab.names, Where(lab.plan.config)))
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
        self._properties(found, file)
        return found, text, file

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


def race_fixture(request: pytest.FixtureRequest, report: Any) -> IopfRace:
    return IopfRace(request, report)
