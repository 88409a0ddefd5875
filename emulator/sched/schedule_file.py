"""A schedule as a file: what was played, by which build, and the runs of steps, so that it can be played again.

JSON, so that it can be read, mailed and edited. `segments` are runs of steps: actor and number. The trace hash says whether the
schedule that was played again is the one that was written.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from cython_ext.crew import PointOp
from emulator.sched.schedule import runs
from emulator.spec.layout import layout_hash
from emulator.spec.sites import Site

FORMAT = 1


class ScheduleError(Exception):
    """The file is no schedule, or does not fit this build; the text says what, where and what to do."""


class ScheduleFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`race`: slug of the catalogue or empty; `programs`, `scenario`, `live` (its `leaks`) and `queue_records`: what is played, as in
    the catalogue; `constraints`: the switches that it takes (``constraints.py``), for a build with other points."""

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
    constraints: list[str] | None = None

    @property
    def tables(self) -> dict[str, Any]:
        """Everything but the programs, as `build_lab` takes it."""
        return {
            **self.scenario,
            "live": self.live,
            "queue_records": self.queue_records,
            "memory": self.memory,
        }

    def path(self, names: Sequence[str]) -> bytes:
        """The slot of every step. Raises ScheduleError for an actor that the system does not have."""
        found = bytearray()
        for actor, steps in self.segments:
            if actor not in names:
                raise ScheduleError(
                    f"segments: no actor is called '{actor}'; this system has {', '.join(filter(None, names[1:]))}"
                )
            found += bytes([names.index(actor)]) * steps
        return bytes(found)


def build_id() -> str:
    """Changes with the layout of the board."""
    return f"{layout_hash():x}"


def points_id() -> str:
    """Changes with the names and numbers of scheduling points."""
    table = repr([(e.name, int(e)) for e in Site] + [(e.name, int(e)) for e in PointOp])
    return f"{zlib.crc32(table.encode()):08x}"


def segments(path: bytes, names: Sequence[str]) -> list[tuple[str, int]]:
    return [(names[run.slot], run.length) for run in runs(path)]


def write(file: ScheduleFile, path: Path) -> None:
    """Raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(file), indent=1)
    path.write_bytes(text + b"\n")


def read(path: Path) -> ScheduleFile:
    """Raises ScheduleError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScheduleError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        file = msgspec.json.decode(data, type=ScheduleFile)
    except msgspec.MsgspecError as error:
        raise ScheduleError(f"{path}: no schedule file: {error}") from error
    if file.format != FORMAT:
        raise ScheduleError(f"{path}: format {file.format}; this version reads {FORMAT}")
    return file
