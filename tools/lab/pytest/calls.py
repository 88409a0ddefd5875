"""Arguments of `iopf_race`: its marker and its calls, checked with one line per mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, NoReturn

import pytest
from iopf.emulator.races.schedule_file import ScheduleError
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.sched.strategies import Strategy
from iopf.emulator.spec.classes import POOLS
from iopf.shm.objects import ArenaError
from iopf.tools.lab.play.system import MODELS, LabError, LabOpenError
from iopf.tools.lab.pytest.mistakes import located_errors
from iopf.tools.lab.search.search import PORTFOLIO, Plan
from iopf.tools.status import Failed

_DEPTH_MOST = 15
_SCHEDULES_MOST = 2**62
_SEED_MOST = 2**63
_QUEUE_MOST = 16384
_EXAMPLE = 'like ["map t0 4", "bind d0 t0"]'


def fail(text: str) -> NoReturn:
    """Fail the test with these lines only, without a traceback or the original exceptions."""
    raise pytest.fail.Exception(text, pytrace=False) from None


@dataclass(frozen=True, slots=True)
class Settings:
    """Arguments of the marker `race`."""

    schedules: int = 1000
    seconds: float = 60.0
    depth: int | None = None
    seed: int = 1
    memory: str = "tso"
    mode: str = "fibers"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Check the marker's arguments; fails the test for an unknown or invalid one."""
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                fail(f"race(): no argument '{name}'; expected one of {', '.join(known)}")
        made = cls(**given)
        for name, good, say in (
            ("schedules", whole(made.schedules, 1, _SCHEDULES_MOST), "1 to 2**62"),
            (
                "seconds",
                isinstance(made.seconds, int | float) and made.seconds > 0,
                "more than 0",
            ),
            (
                "depth",
                made.depth is None or whole(made.depth, 1, _DEPTH_MOST),
                f"1 to {_DEPTH_MOST}",
            ),
            ("seed", whole(made.seed, 0, _SEED_MOST), "0 to 2**63"),
            ("memory", made.memory in MODELS, "'sc' or 'tso'"),
            ("mode", made.mode in ("fibers", "processes"), "'fibers' or 'processes'"),
        ):
            if not good:
                fail(f"race({name}={getattr(made, name)!r}): expected {say}")
        return made

    @property
    def plan(self) -> Plan:
        return PORTFOLIO if self.depth is None else [(int(Strategy.STRATEGY_PCT), self.depth)]


_NO_TABLE = {
    **{field.name: f"; write @pytest.mark.race({field.name}=...)" for field in fields(Settings)},
    "program": f"; give programs as lists of lines, {_EXAMPLE}",
    "still": "",
    "whole": "",
    "schema": "",
    "extends": "",
}


def whole(value: Any, least: int, most: int) -> bool:
    """Whether the value is an integer within the bounds, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _problem(programs: Sequence[Any], tables: Mapping[str, Any]) -> str:
    """The first mistake of a call that the scenario's reader cannot report, or an empty string."""
    if not programs:
        return f"no program; give at least one list of lines, {_EXAMPLE}"
    for number, program in enumerate(programs):
        if isinstance(program, str) or not isinstance(program, Sequence):
            return f"program {number} is {program!r}; expected a list of lines, {_EXAMPLE}"
    for name in ("device", "tenant"):
        entries = tables.get(name, ())
        if isinstance(entries, str) or not isinstance(entries, Sequence):
            return f"{name}={entries!r}: expected a list of tables, like {name}=[{{...}}]"
    for name in tables:
        if name in _NO_TABLE:
            return f"{name} is not a table of a scenario{_NO_TABLE[name]}"
    live, records = tables.get("live") or {}, tables.get("queue_records", 0)
    pools = [*POOLS, "PASID"]
    if not isinstance(live, Mapping):
        return f"live={live!r}: expected numbers of objects by pool, like live={{'PASID': 1}}"
    for name, count in live.items():
        if name not in pools:
            return f"live: no pool {name!r}; expected one of {', '.join(pools)}"
        if not whole(count, 0, _QUEUE_MOST):
            return f"live: {count!r} of {name}; expected 0 to {_QUEUE_MOST}"
    if records != 0 and (not whole(records, 2, _QUEUE_MOST) or records & (records - 1)):
        return f"queue_records={records!r}: expected 0 or a power of two from 2 to {_QUEUE_MOST}"
    return ""


@contextmanager
def plainly(programs: Sequence[Sequence[str]] = ()) -> Iterator[None]:
    """Turn errors of building and running a lab into a test failure, one line per mistake."""
    try:
        yield
    except ScenarioError as error:
        fail("\n".join(located_errors(error, programs)))
    except (LabError, LabOpenError, Failed, ScheduleError, ArenaError) as error:
        fail(str(error))


@contextmanager
def clear(programs: Sequence[Any], tables: Mapping[str, Any]) -> Iterator[None]:
    """As `plainly`, and check the arguments of the call first."""
    problem = _problem(programs, tables)
    if problem:
        fail(problem)
    with plainly(programs):
        yield
