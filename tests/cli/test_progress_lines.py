# SPDX-License-Identifier: MIT
"""Searches that last have a progress line on a terminal, which is removed before the result, and none elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from iopf.tools.status import Status

from tests.support.running import iopf
from tests.support.terminal import on_terminal

CASES = [
    (("race", "run", "4.22", "--fixed", "--schedules", "3000"), "searching: "),
    (("race", "run", "4.22", "--fixed", "--strategy", "dfs", "--schedules", "40000"), "preemption"),
    (("race", "fuzz", "--programs", "5", "-o", "found"), "hand-overs"),
    (("race", "prove", "4.22", "--executions", "500", "--delays", "0"), "all schedules, reduced"),
]


@pytest.mark.parametrize(("args", "says"), CASES)
def test_a_search_shows_its_progress_in_one_line(
    args: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    status, text = on_terminal(*args, cwd=tmp_path, columns=60)
    assert status in (Status.OK, Status.FAILED)
    shown, _, result = text.rpartition("\r\x1b[K")
    parts = shown.split("\r\x1b[K")
    assert any(says in part for part in parts)
    assert all(len(part) < 60 and "\n" not in part for part in parts)
    assert result.strip()


def test_without_a_terminal_there_is_no_progress(tmp_path: Path) -> None:
    done = iopf(*CASES[0][0], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (Status.OK, "")
