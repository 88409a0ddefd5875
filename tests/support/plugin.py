# SPDX-License-Identifier: MIT
"""pytest with the plugin, run on generated tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

FAILING = """
import pytest

@pytest.mark.race(schedules=3000, seed=4)
def test_unbind(iopf_race):
    iopf_race(
        ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"],
        ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a try"],
        kernel={"defects": ["remove-before-drain"]},
        device=[{"stop": "marker"}],
    )
"""


def run(directory: Path, *args: str, ci: bool = False) -> subprocess.CompletedProcess[str]:
    """With `ci` as on a build machine, where pytest's summary repeats whole messages; without it always as in a terminal."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")
    }
    if ci:
        environment["CI"] = "true"
    return subprocess.run(
        command,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The short summary's text for every test."""
    found = re.findall(r"^(PASSED|FAILED|ERROR) test_it\.py::test_(\w+)", done.stdout, re.MULTILINE)
    return {name: outcome for outcome, name in found}


def failures(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The full text below the headline of every failing test."""
    assert done.returncode == 1, done.stdout + done.stderr
    parts = re.split(r"^_+ .+ _+$|^=+ .+ =+$", done.stdout, flags=re.MULTILINE)
    return [part.strip() for part in parts[1:-1] if part.strip()]
