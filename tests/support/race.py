# SPDX-License-Identifier: MIT
"""`iopf race` for the tests of its commands."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from iopf.tools.status import Status

from tests.support.running import iopf


def race(*args: str) -> subprocess.CompletedProcess[str]:
    return iopf("race", *args)


def text_and_document(*args: str) -> tuple[str, Any]:
    """The text output of a successful command and, from a second call, its JSON."""
    done = race(*args)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    return done.stdout, json.loads(race(*args, "--json").stdout)


def assert_refused(
    done: subprocess.CompletedProcess[str], says: str, status: int = Status.USAGE
) -> None:
    """The one-line error of a command."""
    assert done.returncode == status, done.stdout + done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
