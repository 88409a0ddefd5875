# SPDX-License-Identifier: MIT
"""A process killed after every single instruction of an operation: the survivors continue, and losses are counted.

Random kills miss windows of a few nanoseconds; stepping finds them all. Each case runs in a fork server of its own, which
steps, kills and checks (``tests/support/kill_server.py``); see also ``tests/support/kill_case.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kill_cases import CASES
from tests.support.speed import slowdown
from tests.support.tracing import why_not

ROOT = Path(__file__).resolve().parents[2]
BOUND_S = 100.0 * slowdown()
LEAST_POINTS = 10


@pytest.fixture(scope="module")
def stepping() -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)


@pytest.mark.usefixtures("stepping")
@pytest.mark.parametrize("name", CASES)
def test_killed_at_every_instruction(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    """Long calls are stepped by the stride of their case.

    Run with ``-rA`` to see how many kill points each operation has and what they did.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kill_server", name],
        cwd=ROOT, capture_output=True, text=True, timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    bad = result["bad"]
    for key in ("points", "notes"):
        record_property(key, result[key])
    print(f"{name}: {result['points']} kill points, {len(bad)} bad; {result['notes']}")
    told = "\n".join(f"killed after {k} instructions: {what}" for k, what in bad[:3])
    assert not bad, f"{len(bad)} of {result['points']} kill points: {[k for k, _ in bad]}\n{told}"
    assert result["finished"], "the operation did not end within the most points that are tried"
    assert result["points"] >= LEAST_POINTS
