# SPDX-License-Identifier: MIT
"""A system run from the command line, with its processes by role, for tests that disturb it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from iopf.emulator.scenario.resolution import resolve
from iopf.tools.watch.attach import Board, attach

from tests.support.speed import slowdown

BOUND_S = 30.0 * slowdown()
ENDLESS = ("--set", "device.workload.requests=always", "--set", "device.workload.groups=1000000000")


def iopf(
    *args: str, cwd: Path | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "iopf.tools.cli.main", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S * 2,
        input=stdin,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        cwd=cwd,
    )


def shortened(name: str) -> list[str]:
    """Values with which a shipped scenario that lasts ends after two seconds; none for the others."""
    lasts = resolve(name, environ={}).scenario.system.duration_s
    return ["system.duration_s=2"] if lasts else []


class Running:
    """``iopf run ARGS`` (or another verb) in the background; entered when requests are in flow."""

    def __init__(
        self, directory: Path, *args: str, flowing: bool = True, verb: str = "run"
    ) -> None:
        self.directory, self.args, self.flowing, self.verb = directory, args, flowing, verb
        self.output = ""
        self.status = -1

    def __enter__(self) -> Running:
        command = [
            sys.executable,
            "-m",
            "iopf.tools.cli.main",
            self.verb,
            *self.args,
            "--run-dir",
            str(self.directory),
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.board = self._attach()
        self.arena, self.snapshot = self.board.arena, self.board.snapshot
        if self.flowing:
            self.until(lambda: self.snapshot.finished_groups() > 100, "requests are answered")
        return self

    def _attach(self) -> Board:
        until = time.monotonic() + BOUND_S
        while True:
            try:
                return attach(str(self.process.pid))
            except Exception as error:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(
                        f"the system did not come up: {self.process.communicate()[0]}"
                    ) from error
                select.select([], [], [], 0.01)

    def until(self, reached: Any, what: str) -> None:
        end = time.monotonic() + BOUND_S
        while not reached():
            assert time.monotonic() < end, f"not reached: {what}"
            assert self.process.poll() is None, (
                f"ended before {what}: {self.process.communicate()[0]}"
            )
            select.select([], [], [], 0.005)

    def pid_of(self, role: int, index: int = 0) -> int:
        for actor in self.snapshot.actors():
            if actor["role"] == role and actor["index"] == index:
                return int(actor["pid"])
        raise AssertionError(f"no actor of role {role}, index {index}")

    def pids(self) -> list[int]:
        return [int(actor["pid"]) for actor in self.snapshot.actors() if actor["pid"]]

    def kill(self, role: int, index: int = 0, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid_of(role, index), number)

    def end(self) -> str:
        """Wait for the command; return its output."""
        self.output = self.process.communicate(timeout=BOUND_S)[0]
        self.status = self.process.returncode
        return self.output

    def result(self) -> dict[str, Any]:
        loaded = json.loads((self.directory / "result.json").read_text())
        assert isinstance(loaded, dict)
        return loaded

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.board.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.arena.close()
        self.arena.unlink()
