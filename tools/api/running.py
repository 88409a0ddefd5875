# SPDX-License-Identifier: MIT
"""`run` and `run_programs` of the Python interface."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from iopf.emulator.scenario.load import Layer
from iopf.emulator.scenario.resolution import Resolved, resolve
from iopf.tools.api.arguments import check_call
from iopf.tools.api.errors import reported
from iopf.tools.api.results import RunResult
from iopf.tools.status import Status
from iopf.tools.supervisor.run import document_of, measure


def run(
    scenario: str | os.PathLike[str] | Mapping[str, Any], *, sets: Sequence[str] = ()
) -> RunResult:
    """Run a scenario: a shipped name, a path with a slash or `.toml`, or plain tables (`iopf help scenario`). `sets`: values as of `--set`,
    like `["system.seed=7"]`. The user's defaults are not read. Ctrl-C ends the run, and the result is partial. Raises IopfError."""
    with reported():
        if isinstance(scenario, Mapping):
            made = Layer("scenario", {"schema": 1, **scenario})
            return _result(resolve(None, sets, environ={}, made=made))
        return _result(resolve(os.fspath(scenario), sets, environ={}))


def run_programs(*programs: Sequence[str], **tables: Any) -> RunResult:
    """Run programs (`iopf help programs`), each a list of lines, all at once. `tables`: other tables of the scenario by name:

        run_programs(["map t0 16", "bind d0 t0", "send d0 t0 pages=4 group=a", "await d0"], kernel={"generation": "v6.9"})

    Raises IopfError."""
    check_call(programs, tables, controlled=False)
    with reported(programs):
        made = Layer("programs", {"schema": 1, **document_of(programs, tables)})
        return _result(resolve(None, [], environ={}, made=made))


def _result(resolved: Resolved) -> RunResult:
    document = measure(resolved)
    return RunResult(
        status=Status(document["status"]),
        problems=tuple(document["problems"]),
        reason=document["end_reason"],
        seed=resolved.seed,
        seconds=document["wall_s"],
        answers=document.get("answers", {}),
        document=document,
    )
