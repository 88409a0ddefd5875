"""The value of the fixture `iopf_race` (the plugin is `tools/lab/pytest/plugin.py`)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from iopf.emulator.races.schedule import Failure
from iopf.emulator.races.schedule_file import read
from iopf.emulator.spec.text import printable
from iopf.tools.lab.play.processes import processes_for
from iopf.tools.lab.play.races import save_schedule
from iopf.tools.lab.play.replay import lab_in, replay_test
from iopf.tools.lab.play.system import Lab, build_lab
from iopf.tools.lab.pytest.calls import Settings, clear, fail, plainly, whole
from iopf.tools.lab.pytest.places import file_name, places, shown
from iopf.tools.lab.report.table import rows
from iopf.tools.lab.report.where import Where
from iopf.tools.lab.search.failure import failure_of
from iopf.tools.lab.search.minimise import constraints_of, minimise_schedule
from iopf.tools.lab.search.prove import DELAYS_MOST, Proof, prove
from iopf.tools.lab.search.search import Found, search

_SECTION = "iopf schedules"
_LINES_MOST = 40  # per program in a report


def _told(lab: Lab, programs: Sequence[Sequence[str]], short: Failure) -> str:
    """Programs, table and constraints of the schedule that ran last."""
    lines = ["programs:"]
    for number, program in enumerate(programs):
        lines += [""] * (number > 0) + [f"    {line}" for line in program[:_LINES_MOST]]
        if len(program) > _LINES_MOST:
            lines.append(f"    ... {len(program) - _LINES_MOST} more lines")
    lines += ["", *rows(lab.scheduler.trace, lab.names, Where(lab.plan.config))]
    constraints = constraints_of(lab, short)
    if constraints:
        lines += ["", "minimal ordering constraints:", *(f"    {each}" for each in constraints)]
    return "\n".join(lines)


class IopfRace:
    """Call it with programs and tables (`iopf help programs`): the test fails when a schedule fails.

    `finds` is the opposite: the test fails unless a schedule fails. It returns the text of the failure.
    `prove` runs all schedules, or all with few delays: the test fails when one fails or the time is too short.
    `replay` runs a schedule file: the test fails when the schedule still fails, or with `fails=True`, when it no longer fails. A relative
    path is resolved against pytest's start directory, then against the test's directory.
    """

    def __init__(self, request: pytest.FixtureRequest, report: Any, called: Any) -> None:
        self._node, self._report, self._called = request.node, report, called
        self._node.stash[called] = False
        marker = request.node.get_closest_marker("race")
        if marker is not None and marker.args:
            fail("race(): use keyword arguments, like race(schedules=1000)")
        self._given = marker.kwargs if marker is not None else {}
        self.settings = Settings.of(self._given)
        self._start = Path(request.config.invocation_params.dir)
        self._directory = Path(str(request.config.getoption("--iopf-schedules")))
        self._count = 0

    def __call__(self, *programs: Sequence[str], **tables: Any) -> Found:
        found, text = self._search(programs, tables, keep=True)
        if text:
            fail(text)
        self._say(f"{self._played(found)}: none fails")
        return found

    def finds(self, *programs: Sequence[str], **tables: Any) -> str:
        found, _ = self._search(programs, tables, keep=False)
        if found.failure is None:
            fail(f"no schedule of {found.schedules} fails")
        first = (found.what or [""])[0]
        self._say(f"{self._played(found)}: the last one fails as expected, {first}")
        return first

    def prove(self, *programs: Sequence[str], delays: int = 2, **tables: Any) -> Proof:
        """Run all schedules within the marker's seconds, or all with at most `delays` delays if they are too many. The test fails when a
        schedule fails, and when the time is too short for either."""
        self._node.stash[self._called] = True
        for name, wrong in (("memory", "tso"), ("mode", "processes")):
            if self._given.get(name) == wrong:
                fail(f"race({name}={wrong!r}): prove runs fibers under sequential consistency")
        if not whole(delays, 0, DELAYS_MOST):
            fail(f"prove(delays={delays!r}): expected 0 to {DELAYS_MOST}")
        proof, text = self._prove(programs, tables, delays)
        if proof.stopped:
            raise KeyboardInterrupt
        if text:
            fail(text)
        said = f"{proof.verdict}; {proof.played} in {proof.seconds:.2f} s, memory model sc"
        if not proof.complete and proof.delays < delays:
            fail(f"{said}; give race(seconds=...), or fewer delays")
        self._say(said)
        return proof

    def _prove(
        self, programs: Sequence[Sequence[str]], tables: Mapping[str, Any], delays: int
    ) -> tuple[Proof, str]:
        """The proof, and the report of a failure, whose schedule is saved."""
        text, file = "", None
        with clear(programs, tables), build_lab(*programs, memory="sc", **tables) as lab:
            proof = prove(lab, seconds=self.settings.seconds, preemptions=-1, delays=delays)
            played = proof.executions + proof.delayed
            found = Found(played, 0, proof.seconds, proof.failure, proof.what)
            if proof.failure is not None and not proof.stopped:
                text, file = self._failure(lab, programs, tables, found, proof.verdict)
        self._node.user_properties.append(("iopf_complete", proof.complete))
        self._properties(found, file, "sc")
        return proof, text

    def replay(self, file: str | Path, *, fails: bool = False) -> str:
        """Return the first line of the failure with `fails`, else an empty string."""
        self._node.stash[self._called] = True
        there = self._there(file)
        name = shown(there, self._start, Path(file))
        with plainly():
            lines, text = self._replay(there, name)
        if fails and not lines:
            fail(f"{name}: no longer fails")
        if lines and not fails:
            fail("\n".join([*lines, f"iopf race replay {name}", "", text]))
        self._say(f"{name}: {'fails as expected, ' + lines[0] if lines else 'does not fail'}")
        return lines[0] if lines else ""

    def _there(self, file: Any) -> Path:
        """Find the file that the test names."""
        if not isinstance(file, str | os.PathLike):
            fail(f"replay({file!r}): expected the name of a schedule file")
        found = places(Path(file), self._start, self._node.path)
        for each in found:
            if os.path.exists(each):
                return each
        where = " or ".join(str(each.parent) for each in found)
        fail(printable(f"{file}: no such schedule file in {where}"))

    def _replay(self, file: Path, name: Path) -> tuple[list[str], str]:
        """Lines of the failure and the schedule; empty when it does not fail."""
        schedule = read(file, name)
        with lab_in(schedule, name) as lab:
            with processes_for(lab, self.settings.mode):
                played = replay_test(lab, schedule, name)
            if not played.failure:
                return [], ""
            return played.failure, _told(lab, schedule.programs, failure_of(lab, played.bug))

    def _search(
        self, programs: Sequence[Sequence[str]], tables: Mapping[str, Any], *, keep: bool
    ) -> tuple[Found, str]:
        """The result, and with `keep` the report of a failure, whose schedule is saved."""
        settings = self.settings
        self._node.stash[self._called] = True
        with (
            clear(programs, tables),
            build_lab(*programs, memory=settings.memory, **tables) as lab,
        ):
            with processes_for(lab, settings.mode):
                found = search(
                    lab,
                    settings.seed,
                    seconds=settings.seconds,
                    most=settings.schedules,
                    plan=settings.plan,
                )
            text, file = "", None
            if found.failure is not None and keep:
                place = f"schedule {found.schedules} of seed {settings.seed}"
                text, file = self._failure(lab, programs, tables, found, place)
        self._properties(found, file, settings.memory)
        return found, text

    def _played(self, found: Found) -> str:
        return (
            f"{found.schedules:,} schedules of seed {self.settings.seed} in {found.seconds:.2f} s, "
            f"memory model {self.settings.memory}"
        )

    def _say(self, line: str) -> None:
        """Add a line to a report section; `pytest -rP` shows it for passing tests."""
        sections = self._node.stash.setdefault(self._report, {})
        sections[_SECTION] = sections.get(_SECTION, "") + line + "\n"

    def _failure(
        self,
        lab: Lab,
        programs: Sequence[Sequence[str]],
        tables: Mapping[str, Any],
        found: Found,
        place: str,
    ) -> tuple[str, Path | None]:
        """The report of a minimised failure, and its file."""
        short = minimise_schedule(lab, found)
        told = _told(lab, programs, short)
        file, again = self._save(lab, programs, tables, short, found)
        return "\n".join([*(found.what or []), f"{place}; {again}", "", told]), file

    def _save(
        self,
        lab: Lab,
        programs: Sequence[Sequence[str]],
        tables: Mapping[str, Any],
        short: Failure,
        found: Found,
    ) -> tuple[Path | None, str]:
        """Save the schedule; return the file and the command that replays it. Without a file, the text says why."""
        self._count += 1
        directory = self._start / self._directory
        file = directory / file_name(self._node.nodeid, self._count)
        name = shown(file, self._start, self._directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            save_schedule(
                lab,
                programs,
                tables,
                short,
                found,
                seed=self.settings.seed,
                strategy="pytest",
                to=file,
            )
        except OSError as error:
            where = shown(Path(error.filename or file), self._start, self._directory)
            return None, f"not written, {where}: {error.strerror}"
        return name, f"iopf race replay {name}"

    def _properties(self, found: Found, file: Path | None, memory: str) -> None:
        """Properties for JUnit and other reports."""
        self._node.user_properties += [
            ("iopf_schedules", found.schedules),
            ("iopf_schedules_per_second", round(found.per_second)),
            ("iopf_seed", self.settings.seed),
            ("iopf_memory", memory),
        ]
        if file is not None:
            self._node.user_properties.append(("iopf_schedule_file", str(file)))


def race_fixture(request: pytest.FixtureRequest, report: Any, called: Any) -> IopfRace:
    return IopfRace(request, report, called)
