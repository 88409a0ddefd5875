# SPDX-License-Identifier: MIT
"""`iopf bench start`: startup time of the command and of a small run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from iopf.tools.bench.harness import (
    Contender,
    ContenderError,
    Outcome,
    Plan,
    Sample,
    Table,
    interleave,
)
from iopf.tools.bench.report import duration
from iopf.tools.bench.runs import run_system, system

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60


def run(plan: Plan) -> Outcome:
    iopf = [sys.executable, "-m", "iopf.tools.cli.main"]
    contenders = [
        Contender("python, doing nothing", lambda: _command([sys.executable, "-c", "pass"])),
        Contender("iopf --version", lambda: _command([*iopf, "--version"]), ours=True),
        Contender("iopf run --help", lambda: _command([*iopf, "run", "--help"]), ours=True),
        Contender("system of 1 device, 1 request", lambda: _system(1), ours=True),
        Contender("system of 8 devices, 1 request each", lambda: _system(8), ours=True),
    ]
    series = interleave(contenders, plan.rounds, "start")
    table = Table("start: time until the end of ...", ["", "whole", "processes ready"])
    for each in series:
        whole, ready = each.median("wall_ns"), each.median("ready_ns")
        table.rows.append([each.name, each.cell(duration(whole)), duration(ready)])
    table.explain(series)
    outcome = Outcome([table], {"results": [each.document() for each in series]})
    outcome.add_failures(series)
    return outcome


def _command(words: Sequence[str]) -> Sample:
    began_ns = time.monotonic_ns()
    done = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=TIMEOUT_S, check=False)
    took_ns = time.monotonic_ns() - began_ns
    if done.returncode:
        raise ContenderError(f"exit status {done.returncode}")
    return {"wall_ns": took_ns}


def _system(devices: int) -> Sample:
    began_ns = time.monotonic_ns()
    sample = run_system(system(devices, 1, 1, 1))
    sample["wall_ns"] = time.monotonic_ns() - began_ns
    if "start_s" in sample:
        sample["ready_ns"] = sample["start_s"] * 1e9
    return sample
