# SPDX-License-Identifier: MIT
"""The value of the fixture `iopf_race` (the plugin is `tools/lab/pytest/plugin.py`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from iopf.emulator.spec.text import counted, printable
from iopf.tools import api
from iopf.tools.lab.pytest.calls import check_tables, fail, plainly, settings_of
from iopf.tools.lab.pytest.places import file_name, places, shown

_SECTION = "iopf schedules"


@dataclass(frozen=True, slots=True)
class _Words:
    """What a test says of its `subject` when it passes, and when an expected failure is there or missing."""

    subject: str
    passing: str = ""
    failing: str = ""
    missing: str = ""


class IopfRace:
    """Call it with programs and tables (`iopf help programs`): the test fails when a schedule fails.

    `finds` is the opposite: the test fails unless a schedule fails. It returns the text of the failure.
    `prove` runs all schedules, or all with few delays: the test fails when one fails, and is inconclusive when the seconds are too few.
    `replay` runs a schedule file: the test fails when the schedule still fails, or with `fails=True`, when it no longer fails. A relative
    path is resolved against pytest's start directory, then against the test's directory.
    """

    def __init__(
        self, request: pytest.FixtureRequest, report: Any, called: Any, inconclusive: Any
    ) -> None:
        self._node, self._report, self._called = request.node, report, called
        self._inconclusive = inconclusive
        self._node.stash[called] = False
        marker = request.node.get_closest_marker("race")
        self.settings = settings_of(marker)
        self._given = marker.kwargs if marker is not None else {}
        self._start = Path(request.config.invocation_params.dir)
        self._directory = Path(str(request.config.getoption("--iopf-schedules")))
        self._count = 0

    def __call__(self, *programs: Sequence[str], **tables: Any) -> api.ExploreResult:
        found = self._explore(programs, tables)
        self._judge(found.failure, _Words(_played(found), "none fails"), self._found_in(found))
        return found

    def finds(self, *programs: Sequence[str], **tables: Any) -> str:
        found = self._explore(programs, tables)
        words = _Words(
            _played(found),
            failing="the last one fails as expected",
            missing=f"no schedule of {found.schedules} fails",
        )
        return self._judge(found.failure, words, self._found_in(found), fails=True)

    def prove(
        self,
        *programs: Sequence[str],
        delays: int = 2,
        executions: int | None = None,
        **tables: Any,
    ) -> api.ProveResult:
        """Run all schedules, or all with at most `delays` delays if they are more than `executions` (here or in the marker) or, without
        that number, too many for the marker's seconds. The test fails when a schedule fails; it is inconclusive when the seconds end before
        either is complete."""
        self._node.stash[self._called] = True
        for name, wrong in (("memory", "tso"), ("mode", "processes")):
            if self._given.get(name) == wrong:
                fail(f"race({name}={wrong!r}): prove runs fibers under sequential consistency")
        check_tables(tables)
        with plainly():
            proof = api.prove(
                *programs,
                executions=self.settings.executions if executions is None else executions,
                seconds=self.settings.seconds,
                delays=delays,
                **tables,
            )
        self._properties(proof.schedules, proof.seconds, "sc")
        self._node.user_properties.append(("iopf_complete", proof.complete))
        self._node.user_properties.append(("iopf_outcome", str(proof.outcome)))
        if proof.failure is not None:
            place = f"{proof.verdict}; {self._save(proof.failure)}"
            fail("\n".join([*proof.failure.what, place, "", proof.failure.report()]))
        said = f"{proof.verdict}; {proof.played} in {proof.seconds:.2f} s, memory model sc"
        if proof.outcome is api.Outcome.INCONCLUSIVE:
            self._node.stash[self._inconclusive] = True
            pytest.skip(f"{said}; give race(seconds=...), or fewer delays")
        self._say(said)
        return proof

    def replay(self, file: str | Path, *, fails: bool = False) -> str:
        """Return the first line of the failure with `fails`, else an empty string."""
        self._node.stash[self._called] = True
        there = self._there(file)
        name = shown(there, self._start, Path(file))
        with plainly():
            failure = api.replay(there, mode=self.settings.mode, name=str(name)).failure
        words = _Words(str(name), "does not fail", "fails as expected", f"{name}: no longer fails")
        return self._judge(failure, words, lambda _: f"iopf race replay {name}", fails=fails)

    def _judge(
        self,
        failure: api.Counterexample | None,
        words: _Words,
        place: Callable[[api.Counterexample], str],
        *,
        fails: bool = False,
    ) -> str:
        """Fail the test if there is a failure, or with `fails` if there is none; return the first line of an expected failure. `place`:
        the line of the report that tells how to repeat it."""
        if failure is None:
            if fails:
                fail(words.missing)
            self._say(f"{words.subject}: {words.passing}")
            return ""
        if not fails:
            fail("\n".join([*failure.what, place(failure), "", failure.report()]))
        self._say(f"{words.subject}: {words.failing}, {failure.what[0]}")
        return failure.what[0]

    def _found_in(self, found: api.ExploreResult) -> Callable[[api.Counterexample], str]:
        where = f"schedule {found.schedules} of seed {found.seed}"
        return lambda failure: f"{where}; {self._save(failure)}"

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

    def _explore(self, programs: Sequence[Sequence[str]], tables: Any) -> api.ExploreResult:
        self._node.stash[self._called] = True
        check_tables(tables)
        chosen = self.settings
        with plainly():
            found = api.explore(
                *programs,
                schedules=chosen.schedules,
                seconds=chosen.seconds,
                depth=chosen.depth,
                seed=chosen.seed,
                memory=chosen.memory,
                mode=chosen.mode,
                **tables,
            )
        self._properties(found.schedules, found.seconds, found.memory)
        return found

    def _say(self, line: str) -> None:
        """Add a line to a report section; `pytest -rP` shows it for passing tests."""
        sections = self._node.stash.setdefault(self._report, {})
        sections[_SECTION] = sections.get(_SECTION, "") + line + "\n"

    def _save(self, failure: api.Counterexample) -> str:
        """Save the schedule; return the command that replays it, or why it is not written."""
        self._count += 1
        directory = self._start / self._directory
        file = directory / file_name(self._node.nodeid, self._count)
        name = shown(file, self._start, self._directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            failure.save(file)
        except OSError as error:
            where = shown(Path(error.filename or file), self._start, self._directory)
            return f"not written, {where}: {error.strerror}"
        self._node.user_properties.append(("iopf_schedule_file", str(name)))
        return f"iopf race replay {name}"

    def _properties(self, schedules: int, seconds: float, memory: str) -> None:
        """Properties for JUnit and other reports."""
        self._node.user_properties += [
            ("iopf_schedules", schedules),
            ("iopf_schedules_per_second", round(schedules / seconds) if seconds else 0),
            ("iopf_seed", self.settings.seed),
            ("iopf_memory", memory),
        ]


def _played(found: api.ExploreResult) -> str:
    return (
        f"{counted(found.schedules, 'schedule')} of seed {found.seed} in {found.seconds:.2f} s, "
        f"memory model {found.memory}"
    )


def race_fixture(
    request: pytest.FixtureRequest, report: Any, called: Any, inconclusive: Any
) -> IopfRace:
    return IopfRace(request, report, called, inconclusive)
