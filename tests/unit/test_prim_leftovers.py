# SPDX-License-Identifier: MIT
"""The check after every test finds and names leftovers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LEAKS = {
    "process": ("subprocess.Popen(['sleep', '60'])", "(sleep 60)"),
    "orphan": ("subprocess.run(['sh', '-c', 'sleep 61 &'])", "(sleep 61)"),
    "shared memory": (
        "os.close(os.open('/dev/shm' + str(own_name(7777701)), os.O_CREAT, 0o600))",
        "/dev/shm/iopf-",
    ),
    "semaphore": (
        "posix_ipc.Semaphore(str(own_name(7777702)), posix_ipc.O_CREX)",
        "/dev/shm/sem.iopf-",
    ),
    "socket": ("kept.append(socket.socket(socket.AF_UNIX))", "(socket:["),
}

PROGRAM = """
import os, posix_ipc, socket, subprocess, warnings
import tests.conftest
from iopf.shm.naming import own_name
tests.conftest._GRACE_S = 0.3
kept = []
def test_leaks():
    {leak}
def test_after_it():
    pass
"""


@pytest.mark.parametrize("what", LEAKS)
def test_a_leak_fails_the_test_that_leaks(what: str, tmp_path: Path) -> None:
    leak, told = LEAKS[what]
    program = tmp_path / "test_leak.py"
    program.write_text(PROGRAM.format(leak=leak))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
    ]
    done = subprocess.run(
        [*command, f"--rootdir={tmp_path}", str(program)],
        cwd=ROOT, capture_output=True, text=True, timeout=60.0, check=False,
    )  # fmt: skip
    for entry in Path("/dev/shm").glob("*iopf-*-77777*"):
        entry.unlink()
    assert "left behind by this test: " in done.stdout
    assert told in done.stdout
    assert "2 passed, 1 error" in done.stdout
