# SPDX-License-Identifier: MIT
"""The checks that look at a mutant, as commands in its tree.

    fuzz [GENERATION]           random programs in fibers, 60 s
    stress [GENERATION]         random programs with processes, 20 s
    race SLUG                   schedules of the fixed variant of a race, 20 s
    prove SLUG                  all schedules of the fixed variant, at most 60 s
    tests PATH ...              tests, until the first failure
    suite                       the quick suite, until the first failure

Each ends with status 0 when it has seen nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from iopf.emulator.spec.kernels import NEWEST

FUZZ_S, STRESS_S, RACE_S = 60, 20, 20
BOUND_S = 600
AFTER_THE_NAMED = ("fuzz", "stress", "suite")
_FAILED = re.compile(r"^\d+ failed", re.MULTILINE)
_NOT_RUN = {2, 3, 4, 5}  # exit statuses of pytest for which no test decided


class CheckError(Exception):
    """A check that cannot run."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of one check. `how`: the line that says it, empty when nothing was seen."""

    check: str
    seconds: float
    how: str


def command_of(check: str) -> list[str]:
    """The arguments after the interpreter. Raises CheckError for a check that does not exist."""
    kind, _, rest = check.partition(" ")
    iopf = ["-m", "iopf.tools.cli"]
    if kind == "fuzz":
        kernel = rest or NEWEST
        return [*iopf, "race", "fuzz", "--seconds", str(FUZZ_S), "--kernel", kernel, "-o", "found"]
    if kind == "stress":
        base = ["stress", "--devices", "8", "--noise", "--seconds", str(STRESS_S)]
        return [*iopf, *base, "--kernel", rest or NEWEST]
    if kind == "race" and rest:
        return [*iopf, "race", "run", rest, "--fixed", "--seconds", str(RACE_S)]
    if kind == "prove" and rest:
        return [*iopf, "race", "prove", rest]
    pytest = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "2"]
    if kind == "tests" and rest:
        return [*pytest, *rest.split()]
    if kind == "suite":
        return [*pytest, "-m", "not long", "tests"]
    raise CheckError(f"no check '{check}'")


def look(check: str, tree: Path) -> Seen:
    """Run one check in a built tree. A command that does not end has seen something, a hang; fuzz only if it had told a failure, since
    each that it finds is minimised after its time. Raises CheckError when no test ran."""
    paths = os.pathsep.join((str(tree / ".src"), str(tree)))
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *command_of(check)],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=BOUND_S,
        )
    except subprocess.TimeoutExpired as late:
        told = _new_failure(late.stderr) if check.startswith("fuzz") else f"no end in {BOUND_S} s"
        return Seen(check, time.monotonic() - began, told)
    seconds = time.monotonic() - began
    tests = check.startswith(("tests", "suite"))
    # With -x, workers of pytest-xdist end with the status of an interruption.
    if tests and done.returncode in _NOT_RUN and not _FAILED.search(done.stdout):
        raise CheckError(f"{check}: {(done.stdout + done.stderr).strip().splitlines()[-1:]}")
    if check.startswith("prove") and done.returncode == _INCONCLUSIVE:
        return Seen(check, seconds, "")
    return Seen(check, seconds, _reason(done) if done.returncode else "")


def _new_failure(stderr: bytes | str | None) -> str:
    """The first failure that a fuzz campaign has told while it ran, or an empty string."""
    text = stderr.decode(errors="replace") if isinstance(stderr, bytes) else stderr or ""
    return next((line[:120] for line in text.splitlines() if line.startswith("new: ")), "")


_INCONCLUSIVE = 8  # the budget ended; see `iopf help exit-codes`
_TELLING = ("FAILED ", "NEW", "verdict", "E   ")


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The line of the output that says what was found."""
    lines = [line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines()]
    for start in _TELLING:
        for line in lines:
            if line.startswith(start.strip()) and len(line) > len(start):
                return line[:120]
    told = [line for line in lines if line and "not found in" not in line]
    return (told[1] if len(told) > 1 else f"status {done.returncode}")[:120]
