# SPDX-License-Identifier: MIT
"""Schedule files: the system, the build and the runs of steps, to replay a schedule.

JSON, so that they can be read, mailed and edited. `segments` are runs of steps: actor and number. The trace hash tells whether a
replayed schedule equals the recorded one.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from iopf.cython_ext.crew import PointOp
from iopf.emulator.board.layout import layout_hash
from iopf.emulator.races.schedule import runs
from iopf.emulator.spec.classes import POOLS
from iopf.emulator.spec.sites import Site

FORMAT = 1
STEPS_MOST = 20_000  # of a controlled schedule
MEMORIES = ("sc", "tso")
_QUEUE_MOST = 16384
_FILE_BYTES_MOST = 1 << 24
_NO_TABLES = {  # keys that are not tables, and their replacement
    "extends": "",
    "program": "programs",
    "live": "live",
    "queue_records": "queue_records",
    "memory": "memory",
    "still": "still",
    "whole": "whole",
}


class ScheduleError(Exception):
    """The file is not a valid schedule, or does not fit this build; the text says what, where and what to do."""


class ScheduleFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`race`: slug of the catalogue or empty; `programs`, `scenario`, `live` (its `leaks`) and `queue_records`: the system, as in the
    catalogue; `still`: virtual time advances only when no actor is runnable; `whole`: it begins with the first step of every actor;
    `constraints`: its minimal ordering constraints (``constraints.py``), for a build with other points."""

    format: int
    build: str
    points: str
    race: str
    programs: list[list[str]]
    scenario: dict[str, Any]
    seed: int
    strategy: str
    memory: str
    failure: list[str]
    preemptions: int
    segments: list[tuple[str, int]]
    trace_hash: str
    live: dict[str, int] = {}
    queue_records: int = 0
    still: bool = False
    whole: bool = False
    constraints: list[str] | None = None

    @property
    def tables(self) -> dict[str, Any]:
        """The arguments of `build_lab` except the programs."""
        return {
            **self.scenario,
            "live": self.live,
            "queue_records": self.queue_records,
            "memory": self.memory,
            "still": self.still,
            "whole": self.whole,
        }

    def path(self, names: Sequence[str]) -> bytes:
        """The slot of every step. Raises ScheduleError for an unknown actor."""
        known = [name for name in names[1:] if name]
        found = bytearray()
        for actor, steps in self.segments:
            if actor not in known:
                actors = [name for name in known if not name.endswith("'s stores")]
                raise ScheduleError(
                    f"segments: no actor '{actor}'; this system has {', '.join(actors)}"
                )
            found += bytes([names.index(actor)]) * steps
        return bytes(found)


def build_id() -> str:
    """A checksum of the board's layout."""
    return f"{layout_hash():x}"


def points_id() -> str:
    """A checksum of the names and numbers of scheduling points."""
    table = repr([(e.name, int(e)) for e in Site] + [(e.name, int(e)) for e in PointOp])
    return f"{zlib.crc32(table.encode()):08x}"


def segments(path: bytes, names: Sequence[str]) -> list[tuple[str, int]]:
    return [(names[run.slot], run.length) for run in runs(path)]


def write(file: ScheduleFile, path: Path) -> None:
    """Write a file. Raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(file), indent=1)
    path.write_bytes(text + b"\n")


def read(path: Path, name: Path | None = None) -> ScheduleFile:
    """Read and check a file. `name`: its name in errors, if not the path. Raises ScheduleError. Properties of the system, such as the
    names of its actors, are not checked here."""
    name = name or path
    try:
        with path.open("rb") as opened:
            data = opened.read(_FILE_BYTES_MOST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ScheduleError(f"{name}: cannot read: {reason}") from error
    if len(data) > _FILE_BYTES_MOST:
        raise ScheduleError(f"{name}: not a schedule file: larger than {_FILE_BYTES_MOST} bytes")
    try:
        file = msgspec.json.decode(data, type=ScheduleFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ScheduleError(f"{name}: not a schedule file: {error}") from error
    if file.format != FORMAT:
        raise ScheduleError(f"{name}: format {file.format}; this version reads {FORMAT}")
    problem = _problem(file)
    if problem:
        raise ScheduleError(f"{name}: {problem}")
    return file


def _problem(file: ScheduleFile) -> str:
    """The first invalid value, or an empty string."""
    pools = [*POOLS, "PASID"]
    records = file.queue_records
    if file.memory not in MEMORIES:
        return f"memory: '{file.memory}' is not one of {', '.join(MEMORIES)}"
    if not file.programs:
        return "programs: expected at least one"
    for name, beside in _NO_TABLES.items():
        if name in file.scenario:
            hint = f"; write {beside} beside it" if beside else ""
            return f"scenario.{name}: not a table of a scenario{hint}"
    if records != 0 and (records not in range(2, _QUEUE_MOST + 1) or records & (records - 1)):
        return f"queue_records: {records}; expected 0 or a power of two from 2 to {_QUEUE_MOST}"
    for name, count in file.live.items():
        if name not in pools:
            return f"live: no pool '{name}'; expected one of {', '.join(pools)}"
        if count not in range(_QUEUE_MOST + 1):
            return f"live: {count} of {name}; expected 0 to {_QUEUE_MOST}"
    for actor, steps in file.segments:
        if steps < 1:
            return f"segments: {steps} steps of '{actor}'; expected at least 1"
    steps = sum(steps for _, steps in file.segments)
    if steps > STEPS_MOST:
        return f"segments: {steps} steps; a schedule has at most {STEPS_MOST}"
    return ""
