# SPDX-License-Identifier: MIT
"""Names of shared-memory objects: ``/iopf-UID-PID-START``, so that a name identifies its owner.

PID and START (start time of the creating process, in clock ticks since boot) identify the creator even while the object is not
readable.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from iopf.shm.procs import is_alive, start_time

SHM_DIR = Path("/dev/shm")
_PATTERN = re.compile(r"iopf-(\d+)-(\d+)-(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Name:
    """A parsed name. ``serial`` separates several objects of one process."""

    uid: int
    pid: int
    started: int
    serial: int = 0

    def __str__(self) -> str:
        tail = f"-{self.serial}" if self.serial else ""
        return f"/iopf-{self.uid}-{self.pid}-{self.started}{tail}"

    @property
    def path(self) -> Path:
        return SHM_DIR / str(self)[1:]

    @property
    def creator_alive(self) -> bool:
        return is_alive(self.pid, self.started)


def own_name(serial: int = 0) -> Name:
    pid = os.getpid()
    return Name(os.getuid(), pid, start_time(pid), serial)


def parse(text: str) -> Name | None:
    """Parse ``/iopf-…`` or ``iopf-…``; None for anything else."""
    match = _PATTERN.fullmatch(text.removeprefix("/"))
    if match is None:
        return None
    uid, pid, started, serial = (int(group or 0) for group in match.groups())
    return Name(uid, pid, started, serial)
