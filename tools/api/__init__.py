# SPDX-License-Identifier: MIT
"""The Python interface, described by `iopf help python`. Other modules may change without notice; these names do not.

    run           a scenario (a shipped name, a file or plain tables)
    run_programs  programs written in Python
    explore       search the schedules of programs for a failing one
    prove         run all schedules of programs, or all within a bound
    replay        repeat the schedule of a file

Each returns a frozen dataclass, prints nothing, and raises IopfError for a mistake in its arguments or a machine that cannot run it.
One process controls one system at a time, so `explore`, `prove` and `replay` do not run in two threads.
"""

from __future__ import annotations

from iopf.tools.api.errors import IopfError
from iopf.tools.api.results import (
    Counterexample,
    ExploreResult,
    ProveResult,
    ReplayResult,
    RunResult,
)
from iopf.tools.api.running import run, run_programs
from iopf.tools.api.schedules import explore, prove, replay
from iopf.tools.lab.search.prove import Outcome
from iopf.tools.status import Status

__all__ = [
    "Counterexample",
    "ExploreResult",
    "IopfError",
    "Outcome",
    "ProveResult",
    "ReplayResult",
    "RunResult",
    "Status",
    "explore",
    "prove",
    "replay",
    "run",
    "run_programs",
]
