# SPDX-License-Identifier: MIT
"""Minimising a failing race: first its operations, then its configuration, last its preemptions.

An operation, or a setting of the configuration, is removed if a failure of the same kind remains without it. The failing schedule then
belongs to another system, so it is searched again, beginning with the last failing path, loosely. A pass over all of them repeats until
it removes nothing or the time ends; what is minimised so far is the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from iopf.emulator.races.schedule import Failure
from iopf.emulator.races.schedule_file import segments
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.sched.judge import Bug
from iopf.tools.configuration import needs
from iopf.tools.lab.play.system import Lab, LabError, build_lab
from iopf.tools.lab.search.failure import failure_of, what
from iopf.tools.lab.search.minimise import minimise_schedule
from iopf.tools.lab.search.search import Found, search

MINIMISE_S = 60.0
_SEARCH = 2000

Programs = list[list[str]]
Segments = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Small:
    """A minimised race: programs, tables, schedule, the memory model and clock that it needs, and the failure. `complete`: the time was
    enough for all passes."""

    programs: Programs
    tables: dict[str, Any]
    failure: Failure
    memory: str
    still: bool
    found: Found
    trace_hash: int
    segments: list[tuple[str, int]]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _System:
    """What is made smaller, with the path along which it failed last."""

    programs: Programs
    tables: dict[str, Any]
    path: Segments


def minimise_programs(
    programs: Sequence[Sequence[str]],
    tables: Mapping[str, Any],
    path: Segments,
    *,
    failure: Failure | None = None,
    seed: int = 1,
    seconds: float = MINIMISE_S,
    tell: Callable[[str], None] | None = None,
) -> Small | None:
    """Minimise a race; None if it no longer fails, or fails differently from `failure`. `path`: runs of steps by actor, as in a
    schedule file. `seconds`: no pass begins another removal after this time."""
    until = time.monotonic() + seconds
    best = _System([list(program) for program in programs], dict(tables), path)
    found = _failing(best, seed, None if failure is None else _kind(failure))
    if found is None:
        return None
    best, kind = found
    late = False
    for without_one in (_without_operation, _without_setting):
        again = True
        while again and not late:
            again, at = False, 0
            while not late:
                candidates = list(without_one(best))
                if at >= len(candidates):
                    break
                smaller, left_out = candidates[at]
                found = _failing(smaller, seed, kind)
                if found is None:
                    at += 1
                else:
                    best, again = found[0], True
                    if tell is not None:
                        tell(f"without '{left_out}'")
                late = time.monotonic() >= until
    small = _minimised(best, seed, kind)
    return None if small is None else replace(small, complete=not late)


def _kind(failure: Failure) -> tuple[object, ...]:
    """The part of a signature that is stable when operations are removed: not the slots of a deadlock."""
    return failure.signature[: 1 if failure.signature[0] == Bug.BUG_DEADLOCK else None]


def _without_operation(system: _System) -> Iterator[tuple[_System, str]]:
    programs = system.programs
    for number, program in enumerate(programs):
        for at, line in enumerate(program):
            if line.endswith("start"):
                continue
            rest = program[:at] + program[at + 1 :]
            fewer = [
                *programs[:number],
                *([rest] if any(not each.endswith("start") for each in rest) else []),
                *programs[number + 1 :],
            ]
            yield replace(system, programs=fewer), line


_KEPT = {"generation", "defects", "count"}


def _without_setting(system: _System) -> Iterator[tuple[_System, str]]:
    """Without one option of the kernel, or with one setting at its default."""
    tables = system.tables
    kernel = tables.get("kernel", {})
    needed = needs(kernel.get("generation", ""))
    for option in kernel.get("options", ()):
        if option not in needed:
            options = [each for each in kernel["options"] if each != option]
            changed = {**tables, "kernel": {**kernel, "options": options}}
            yield replace(system, tables=changed), f"kernel.options {option}"
    for name in ("kernel", "iommu"):
        for key, less in _without_key(tables.get(name, {})):
            if key != "options":
                yield replace(system, tables={**tables, name: less}), f"{name}.{key}"
    devices = list(tables.get("device", ()))
    for number, device in enumerate(devices):
        for key, less in _without_key(device):
            others = [*devices[:number], less, *devices[number + 1 :]]
            yield replace(system, tables={**tables, "device": others}), f"device.{key}"


def _without_key(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in table:
        if key not in _KEPT:
            yield key, {name: value for name, value in table.items() if name != key}


def _failing(
    system: _System, seed: int, kind: tuple[object, ...] | None
) -> tuple[_System, tuple[object, ...]] | None:
    """The system with a path along which it fails, of this kind if one is given, and the kind."""
    try:
        with build_lab(*system.programs, **system.tables) as lab:
            found = _found(lab, system.path, seed, kind)
            if found is None or found.failure is None:
                return None
            path = segments(found.failure.path, lab.names)
            return replace(system, path=path), _kind(found.failure)
    except (ScenarioError, LabError):
        return None  # the system is invalid without what was removed


def _found(lab: Lab, path: Segments, seed: int, kind: tuple[object, ...] | None) -> Found | None:
    """A failure of this kind along the path, else in a search."""
    found = _play(lab, path)
    if found is None or (kind is not None and _kind(_failure(found)) != kind):
        found = search(lab, seed, seconds=5, most=_SEARCH)
    if found.failure is None or (kind is not None and _kind(found.failure) != kind):
        return None
    return found


def _failure(found: Found) -> Failure:
    assert found.failure is not None
    return found.failure


def _minimised(system: _System, seed: int, kind: tuple[object, ...]) -> Small | None:
    """The system with its schedule minimised, which runs last."""
    with build_lab(*system.programs, **system.tables) as lab:
        found = _found(lab, system.path, seed, kind)
        if found is None:
            return None
        short = minimise_schedule(lab, found)
        return Small(
            system.programs,
            system.tables,
            short,
            lab.memory,
            lab.scheduler.still,
            found,
            lab.scheduler.trace_hash,
            segments(short.path, lab.names),
        )


def _play(lab: Lab, path: Segments) -> Found | None:
    steps = bytearray()
    for actor, number in path:
        if actor in lab.names:
            steps += bytes([lab.names.index(actor)]) * number
    bug = lab.scheduler.replay(bytes(steps), loose=True)
    if bug == Bug.BUG_NONE:
        return None
    return Found(1, len(lab.scheduler.trace), 0.0, failure_of(lab, bug), what(lab, bug))
