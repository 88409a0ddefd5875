"""Making a failing race small: operations first, then preemptions.

An operation is left out when a failure of the same kind is still found without it. What then fails is another schedule of another
program, so it is searched for anew, beginning with the old path, loosely.
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
    """A race as small as it gets: its programs, the shortest schedule, the memory model and the clock that it needs, what fails."""

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
    """None when the race does not fail any more, or not like `failure`. `path`: runs of steps by actor, as in a schedule file."""
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
    """What stays when operations go: the slots of a deadlock do not."""
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
    """The shortest schedule of these programs that fails, in the same kind of way if one is given."""
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
        return None  # without that line the programs make no sense


def _play(lab: Lab, path: Sequence[tuple[str, int]]) -> Found | None:
    steps = bytearray()
    for actor, number in path:
        if actor in lab.names:
            steps += bytes([lab.names.index(actor)]) * number
    bug = lab.scheduler.replay(bytes(steps), loose=True)
    if bug == Bug.BUG_NONE:
        return None
    return Found(1, len(lab.scheduler.trace), 0.0, failure_of(lab, bug), what(lab, bug))
