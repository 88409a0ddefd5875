# SPDX-License-Identifier: MIT
"""What the calls of the Python interface return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from iopf.emulator.races.schedule_file import ScheduleFile, write
from iopf.tools.lab.search.prove import Outcome
from iopf.tools.status import Status

_LINES_MOST = 40  # per program in a report


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run. `status`: the exit status of `iopf run`; `problems`: failed checks, one line each; `reason`: why it ended; `answers`: by
    device and group label, the response codes in order; `document`: the content of result.json."""

    status: Status
    problems: tuple[str, ...]
    reason: str
    seed: int
    seconds: float
    answers: Mapping[str, Mapping[str, list[int]]]
    document: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        return self.status is Status.OK


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A failing schedule, minimised. `what`: the failure, one line each; `preemptions`: switches away from a runnable actor; `table`: a
    row per run of steps; `constraints`: the minimal orders of steps under which it fails, None if orders alone do not reproduce it."""

    what: tuple[str, ...]
    preemptions: int
    table: tuple[str, ...]
    constraints: tuple[str, ...] | None
    file: ScheduleFile

    def save(self, path: str | PathLike[str]) -> None:
        """Write the schedule file of `iopf race replay` and `replay`. Raises OSError."""
        write(self.file, Path(path))

    def report(self) -> str:
        """Programs, table and constraints."""
        lines = ["programs:"]
        for number, program in enumerate(self.file.programs):
            lines += [""] * (number > 0) + [f"    {line}" for line in program[:_LINES_MOST]]
            if len(program) > _LINES_MOST:
                lines.append(f"    ... {len(program) - _LINES_MOST} more lines")
        lines += ["", *self.table]
        if self.constraints:
            lines += ["", "minimal ordering constraints:"]
            lines += [f"    {each}" for each in self.constraints]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class ExploreResult:
    """A search. `schedules`: how many ran, the last one being the failing one; `failure`: None if no schedule failed within the budget,
    which proves nothing."""

    schedules: int
    seconds: float
    seed: int
    memory: str
    failure: Counterexample | None

    @property
    def per_second(self) -> float:
        return self.schedules / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class ProveResult:
    """A proof. `outcome`: what is known; `verdict`: the same in one line; `played`: the schedules that ran, as text; `executions`: of
    the reduced walk; `delayed`: schedules with a bounded number of delays; `delays`: the bound up to which all of these ran, -1 if none;
    `timed`: the programs have timeouts, which in executions expire only when no actor is runnable."""

    outcome: Outcome
    verdict: str
    played: str
    executions: int
    delayed: int
    delays: int
    timed: bool
    seconds: float
    failure: Counterexample | None

    @property
    def complete(self) -> bool:
        """Whether all schedules ran."""
        return self.outcome is Outcome.PROVED

    @property
    def schedules(self) -> int:
        return self.executions + self.delayed


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """A replay. `same`: each step and access is the recorded one; `failure`: None if the schedule does not fail."""

    same: bool
    failure: Counterexample | None
