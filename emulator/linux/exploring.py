# SPDX-License-Identifier: MIT
"""Running programs of a kernel's driver under random schedules, in a process of their own, and findings with functions and lines."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iopf.emulator.linux.building import IMAGE, RUNNER
from iopf.emulator.linux.errors import BuildError, CrashError, MachineError

# Of driver/driver.c: bind, let a function run, unbind.
PROGRAMS = {
    "life-cycle": "a task binds, a group of two pages is answered, it unbinds",
    "no-wait": "the function does not wait for answers before it stops",
    "torn": "the last request of a group is never sent",
    "exit": "the address space exits while it is bound",
    "share": "a second task binds and unbinds the same address space",
    "user": "a task attaches a domain of user space, whose handler answers from a work item",
    "two-devices": "two tasks, two devices, one address space",
}
WINDOW = 0x200000000000
UNSUPPORTED = 4  # the runner: no such program
SET_UP_FAILED = 3
MISSING = "missing function"


@dataclass
class Place:
    """What happened there, the actor, and `function file:line`, innermost first."""

    what: str
    actor: str
    frames: list[str]


@dataclass
class Finding:
    kind: str
    text: str
    seed: int
    step: int
    places: list[Place] = field(default_factory=list)


@dataclass
class Explored:
    """`finding` is that of the last schedule."""

    program: str
    schedules: int
    points: int
    cpu_s: float
    warnings: int  # counted, if the code continues after them
    finding: Finding | None


def explore(
    folder: Path,
    program: str,
    schedules: int,
    seed: int,
    *,
    switch_in: int,
    fail_in: int,
    warnings_continue: bool = False,
) -> Explored:
    """Run up to the first finding. Raises BuildError if the kernel has no such program, CrashError if the runner dies."""
    if not (folder / RUNNER).is_file():
        raise BuildError(f"{folder}: built by another version of iopf; build it again")
    numbers = (schedules, seed, switch_in, fail_in, int(warnings_continue))
    command = [str(folder / RUNNER), str(folder / IMAGE), program, *map(str, numbers)]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if ended.returncode == UNSUPPORTED:
        raise BuildError(f"no program '{program}' for this version")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    found = [line for line in lines if "finding" in line]
    finding = _finding(folder, found[0]) if found else None
    if ended.returncode == SET_UP_FAILED:
        raise CrashError(
            f"program {program}: {finding.kind + ': ' + finding.text if finding else ended.stderr.strip()}"
        )
    if ended.returncode or not lines or "schedules" not in lines[-1]:
        raise CrashError(f"program {program}: the runner died with status {ended.returncode}")
    account = lines[-1]
    return Explored(
        program,
        account["schedules"],
        account["points"],
        account["cpu_s"],
        account["warnings"],
        finding,
    )


def _finding(folder: Path, record: dict[str, Any]) -> Finding:
    offsets = sorted({offset for place in record["places"] for offset in place["frames"]})
    names = frames(folder / IMAGE, offsets)
    places = [
        Place(p["what"], p["actor"], [n for offset in p["frames"] for n in names[offset]])
        for p in record["places"]
    ]
    text = record["text"]
    if record["finding"] == MISSING and places and places[0].frames:
        text += f" (called from {places[0].frames[0].split(' ', 1)[-1]})"
    return Finding(record["finding"], text, record["seed"], record["step"], places)


def frames(image: Path, offsets: Sequence[int]) -> dict[int, list[str]]:
    """Offset of a return address -> `function file:line`, those inlined first."""
    if not offsets:
        return {}
    addresses = [hex(WINDOW + offset - 1) for offset in offsets]
    try:
        ended = subprocess.run(
            ["addr2line", "-a", "-f", "-i", "-e", str(image), *addresses],
            capture_output=True, text=True, errors="replace", check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        raise MachineError(f"addr2line: {error}; install binutils") from error
    found: dict[int, list[str]] = {}
    lines = ended.stdout.splitlines()
    current: list[str] = []
    i = 0
    while i < len(lines):
        if re.fullmatch(r"0x[0-9a-f]+", lines[i]):
            current = found.setdefault(int(lines[i], 16) + 1 - WINDOW, [])
            i += 1
            continue
        where = lines[i + 1].split(" (discriminator")[0].removeprefix("./")
        current.append(f"{lines[i]} {where}")
        i += 2
    return found
