# SPDX-License-Identifier: MIT
"""Minimising a failing race: first its operations, then its preemptions.

An operation is removed if a failure of the same kind remains without it. The failing schedule then belongs to another program, so it
is searched again, beginning with the old path, loosely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iopf.emulator.races.schedule import Failure
from iopf.emulator.races.schedule_file import segments
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.sched.judge import Bug
from iopf.tools.lab.play.system import Lab, LabError, build_lab
from iopf.tools.lab.search.failure import failure_of, what
from iopf.tools.lab.search.minimise import minimise_schedule
from iopf.tools.lab.search.search import Found, search

_SEARCH = 2000

Programs = list[list[str]]


@dataclass(frozen=True, slots=True)
class Small:
    """A minimised race: programs, schedule, the memory model and clock that it needs, and the failure."""

    programs: Programs
    failure: Failure
    memory: str
    still: bool
    found: Found
    trace_hash: int
    segments: list[tuple[str, int]]


def minimise_programs(
    programs: Sequence[Sequence[str]],
    tables: Mapping[str, Any],
    path: Sequence[tuple[str, int]],
    *,
    failure: Failure | None = None,
    seed: int = 1,
    tell: Callable[[str], None] | None = None,
) -> Small | None:
    """Minimise a race; None if it no longer fails, or fails differently from `failure`. `path`: runs of steps by actor, as in a
    schedule file."""
    best = _failing(programs, tables, path, seed, None if failure is None else _kind(failure))
    if best is None:
        return None
    kind = _kind(best.failure)
    again = True
    while again:
        again = False
        for fewer, left_out in _without_one(best.programs):
            found = _failing(fewer, tables, path, seed, kind)
            if found is not None:
                best, again = found, True
                if tell is not None:
                    tell(f"without '{left_out}'")
                break
    return best


def _kind(failure: Failure) -> tuple[object, ...]:
    """The part of a signature that is stable when operations are removed: not the slots of a deadlock."""
    return failure.signature[: 1 if failure.signature[0] == Bug.BUG_DEADLOCK else None]


def _without_one(programs: Programs) -> Iterator[tuple[Programs, str]]:
    for number, program in enumerate(programs):
        for at, line in enumerate(program):
            if line.endswith("start"):
                continue
            rest = program[:at] + program[at + 1 :]
            yield (
                [
                    *programs[:number],
                    *([rest] if any(not each.endswith("start") for each in rest) else []),
                    *programs[number + 1 :],
                ],
                line,
            )


def _failing(
    programs: Sequence[Sequence[str]],
    tables: Mapping[str, Any],
    path: Sequence[tuple[str, int]],
    seed: int,
    kind: tuple[object, ...] | None,
) -> Small | None:
    """Search and minimise a failing schedule of these programs, of this kind if one is given."""
    try:
        with build_lab(*programs, **tables) as lab:
            found = _play(lab, path) or search(lab, seed, seconds=5, most=_SEARCH)
            if found.failure is None or (kind is not None and _kind(found.failure) != kind):
                return None
            short = minimise_schedule(lab, found)
            return Small(
                [list(program) for program in programs],
                short,
                lab.memory,
                lab.scheduler.still,
                found,
                lab.scheduler.trace_hash,
                segments(short.path, lab.names),
            )
    except (ScenarioError, LabError):
        return None  # the programs are invalid without that line


def _play(lab: Lab, path: Sequence[tuple[str, int]]) -> Found | None:
    steps = bytearray()
    for actor, number in path:
        if actor in lab.names:
            steps += bytes([lab.names.index(actor)]) * number
    bug = lab.scheduler.replay(bytes(steps), loose=True)
    if bug == Bug.BUG_NONE:
        return None
    return Found(1, len(lab.scheduler.trace), 0.0, failure_of(lab, bug), what(lab, bug))
