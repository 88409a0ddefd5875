# SPDX-License-Identifier: MIT
"""The check of scheduling points: does every access that may race with another actor have one?

    python -m iopf.tools.points.lint [--schedules N] [--programs N]

Compiles the step code again with every memory access reported, runs the catalogue and random programs of every generation, and prints
each pair of accesses without an order between them: function, line and word. Run by `tools/bootstrap.py check`. The result holds for
the steps that ran.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import linecache
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from iopf.tools.points.build import BuildError, build

ROOT = Path(__file__).resolve().parent.parent.parent
COPY = ROOT / "build" / "points"
_BOUND_S = 540


def play(schedules: int, programs: int, *, blind: int = 0, only: str = "") -> dict[str, Any]:
    """Build, run in a separate process, and return the output of `play.py`. `blind`: an operation whose points are ignored; `only`:
    races with this in their slug, and no programs. The copy is locked, so concurrent calls wait. Raises BuildError, OSError, and
    RuntimeError with the last line of a crash."""
    COPY.mkdir(parents=True, exist_ok=True)
    with (COPY / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _play(schedules, programs, blind, only)


def _play(schedules: int, programs: int, blind: int, only: str) -> dict[str, Any]:
    build(ROOT, COPY)
    command = [sys.executable, "-m", "iopf.tools.points.play"]
    done = subprocess.run(
        [*command, str(schedules), str(programs), str(blind), only],
        cwd=COPY,
        env={**os.environ, "PYTHONPATH": str(COPY)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_BOUND_S,
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"status {done.returncode}").splitlines()[-1])
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def lines(finding: dict[str, Any]) -> list[str]:
    """A finding as text: the word, then each access with place, function and source line."""
    if finding["what"] != "race":
        name = "a fence" if finding["what"] == "fence" else "a locked instruction"
        head = f"{name} not announced by a point, after {finding['point']}"
        return [head, *_access(finding["kind"], finding["at"])]
    head = f"{finding['region'] or 'a word of the board'}: no order between {finding['actor']} and {finding['other']} ({finding['system']})"
    other = finding["other_kind"] + (", announced" if finding["other_announced"] else "")
    return [
        head,
        *_access(f"{finding['kind']} after {finding['point']}", finding["at"]),
        *_access(other, finding["other_at"]),
    ]


def _access(kind: str, frames: list[str]) -> list[str]:
    """The innermost place outside the primitives, where the point is missing."""
    if not frames:
        return [f"    {kind} at an unknown location"]
    outside = [frame for frame in frames if not frame.startswith("cython_ext/")]
    place, _, function = (outside or frames)[0].partition(" ")
    file, _, line = place.rpartition(":")
    text = linecache.getline(str(COPY / "iopf" / file), int(line) if line.isdigit() else 0).strip()
    return [f"    {place} {function}: {text[:90]}", f"        {kind}"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="iopf.tools.points.lint")
    parser.add_argument("--schedules", type=int, default=150, metavar="N")
    parser.add_argument("--programs", type=int, default=10, metavar="N")
    asked = parser.parse_args()
    try:
        found = play(asked.schedules, asked.programs)
    except (BuildError, OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        print(f"points: {error}")
        return 1
    for finding in found["findings"]:
        print("\n".join(lines(finding)))
    print(
        f"{found['systems']} systems, {found['accesses']:,} accesses to the board, {found['silent']:,} of them "
        f"without a point: {len(found['findings'])} unordered"
    )
    return 1 if found["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
