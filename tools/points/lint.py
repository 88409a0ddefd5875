# SPDX-License-Identifier: MIT
"""The check of scheduling points: does every access that may race with another actor have one?

    python -m iopf.tools.points.lint [--schedules N] [--programs N]

Compiles the step code again with every memory access reported, runs the catalogue and random programs of every generation, and prints
each pair of accesses without an order between them: function, line and word. The same for a load that may overtake a store before it,
where another actor does the opposite, and for a store that publishes without release (`orders.h`). Run by `tools/bootstrap.py check`.
The result holds for the steps that ran.
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
# Loads that may overtake a store: function of the load, function of the store -> why no fence is needed.
EXPLAINED = {
    (
        "publish_records",
        "publish_records",
    ): "a stale head makes the queue look fuller than it is, as on hardware",
    (
        "prq_event_thread",
        "prq_event_thread",
    ): "an overflow that is not seen here is seen behind the fence of ec_notify, before the thread sleeps",
}


def play(
    schedules: int, programs: int, *, blind: int = 0, weak: int = 0, only: str = ""
) -> dict[str, Any]:
    """Build, run in a separate process, and return the output of `play.py`, with the explained findings apart. `blind`: an operation whose
    points are ignored; `weak`: one whose fences, locked instructions and orderings are; `only`: races with this in their slug, and no
    programs. The copy is locked, so concurrent calls wait. Raises BuildError, OSError, and RuntimeError with the last line of a crash."""
    COPY.mkdir(parents=True, exist_ok=True)
    with (COPY / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = _play(schedules, programs, blind, weak, only)
    made["explained"] = [found for found in made["findings"] if explanation(found) in EXPLAINED]
    made["findings"] = [found for found in made["findings"] if explanation(found) not in EXPLAINED]
    return made


def explanation(finding: dict[str, Any]) -> tuple[str, str]:
    """The key of `EXPLAINED` that a finding would have: the innermost functions outside the primitives."""
    if finding["what"] != "overtaken":
        return "", ""
    load, store = (
        next((name for name in map(_function, frames) if name), "")
        for frames in (finding["at"], finding["other_at"])
    )
    return load, store


def _function(frame: str) -> str:
    """The function of a frame; empty for one of a primitive."""
    return "" if frame.startswith("cython_ext/") else frame.rpartition(" ")[2]


def _play(schedules: int, programs: int, blind: int, weak: int, only: str) -> dict[str, Any]:
    build(ROOT, COPY)
    command = [sys.executable, "-m", "iopf.tools.points.play"]
    done = subprocess.run(
        [*command, str(schedules), str(programs), str(blind), str(weak), only],
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
    if finding["what"] in ("overtaken", "relaxed"):
        return _ordering(finding)
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


def _ordering(finding: dict[str, Any]) -> list[str]:
    """A finding of `orders.h`."""
    word = finding["region"] or "a word of the board"
    if finding["what"] == "relaxed":
        head = f"{word}: {finding['actor']} reads with acquire what {finding['other']} stores without release"
        return [
            f"{head} ({finding['system']})",
            *_access("read", finding["at"]),
            *_access("write", finding["other_at"]),
        ]
    head = f"{word}: no fence between a store and a load of {finding['actor']}, and {finding['other']} does the opposite"
    return [
        f"{head} ({finding['system']})",
        *_access(f"load after {finding['point']}", finding["at"]),
        *_access("store", finding["other_at"]),
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
    unused = set(EXPLAINED) - {explanation(each) for each in found["explained"]}
    for load, store in sorted(unused):
        print(f"explained, but not found: a load in {load} overtakes a store in {store}")
    print(
        f"{found['systems']} systems, {found['accesses']:,} accesses to the board, {found['silent']:,} of them "
        f"without a point: {len(found['findings'])} unordered"
    )
    return 1 if found["findings"] or unused else 0


if __name__ == "__main__":
    sys.exit(main())
