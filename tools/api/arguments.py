# SPDX-License-Identifier: MIT
"""Checks of the arguments that the scenario's reader does not see, with one line per mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iopf.emulator.sched.strategies import Strategy
from iopf.emulator.spec.classes import POOLS
from iopf.tools.api.errors import IopfError
from iopf.tools.lab.play.system import MODELS
from iopf.tools.lab.search.search import PORTFOLIO, Plan

MODES = ("fibers", "processes")
_DEPTH_MOST = 15
_SCHEDULES_MOST = 2**62
_SEED_MOST = 2**63
_QUEUE_MOST = 16384
_EXAMPLE = 'like ["map t0 4", "bind d0 t0"]'


@dataclass(frozen=True, slots=True)
class Settings:
    """Budget and strategy of a search or proof. They are also the arguments of the marker `race`."""

    schedules: int = 1000
    executions: int | None = None
    seconds: float = 60.0
    depth: int | None = None
    seed: int = 1
    memory: str = "tso"
    mode: str = "fibers"

    def check(self, call: str) -> None:
        """Raise IopfError with `call` and the first invalid value."""
        counts = f"1 to 2**{_SCHEDULES_MOST.bit_length() - 1}"
        seconds = isinstance(self.seconds, int | float) and self.seconds > 0
        for name, good, say in (
            ("schedules", whole(self.schedules, 1, _SCHEDULES_MOST), counts),
            ("executions", _whole_or_none(self.executions, _SCHEDULES_MOST), counts),
            ("seconds", seconds, "more than 0"),
            ("depth", _whole_or_none(self.depth, _DEPTH_MOST), f"1 to {_DEPTH_MOST}"),
            ("seed", whole(self.seed, 0, _SEED_MOST), "0 to 2**63"),
            ("memory", self.memory in MODELS, "'sc' or 'tso'"),
            ("mode", self.mode in MODES, "'fibers' or 'processes'"),
        ):
            if not good:
                raise IopfError([f"{call}({name}={getattr(self, name)!r}): expected {say}"])

    @property
    def plan(self) -> Plan:
        return PORTFOLIO if self.depth is None else [(int(Strategy.STRATEGY_PCT), self.depth)]

    @property
    def strategy(self) -> str:
        return "portfolio" if self.depth is None else "pct"


DEFAULTS = Settings()


def whole(value: Any, least: int, most: int) -> bool:
    """Whether the value is an integer within the bounds, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _whole_or_none(value: Any, most: int) -> bool:
    return value is None or whole(value, 1, most)


_NO_TABLE = {
    "program": f"; give programs as lists of lines, {_EXAMPLE}",
    "still": "",
    "whole": "",
    "schema": "",
    "extends": "",
}


def check_call(
    programs: Sequence[Any], tables: Mapping[str, Any], *, controlled: bool = True
) -> None:
    """Raise IopfError with the first mistake of a call. `controlled`: its tables may have `live` and `queue_records`."""
    problem = _programs(programs) or _tables(tables) or (_controlled(tables) if controlled else "")
    if problem:
        raise IopfError([problem])


def _programs(programs: Sequence[Any]) -> str:
    if not programs:
        return f"no program; give at least one list of lines, {_EXAMPLE}"
    for number, program in enumerate(programs):
        if isinstance(program, str) or not isinstance(program, Sequence):
            return f"program {number} is {program!r}; expected a list of lines, {_EXAMPLE}"
    return ""


def _tables(tables: Mapping[str, Any]) -> str:
    for name in ("device", "tenant"):
        entries = tables.get(name, ())
        if isinstance(entries, str) or not isinstance(entries, Sequence):
            return f"{name}={entries!r}: expected a list of tables, like {name}=[{{...}}]"
    for name in tables:
        if name in _NO_TABLE:
            return f"{name} is not a table of a scenario{_NO_TABLE[name]}"
    return ""


def _controlled(tables: Mapping[str, Any]) -> str:
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
