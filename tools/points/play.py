# SPDX-License-Identifier: MIT
"""Runs the catalogue in the instrumented build (`build.py`) and prints the findings of its runtime as JSON. Called by `lint.py`."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import iopf
from iopf.emulator.board.layout import OFF_CREW, OFF_RUNQUEUE, OFF_STACKS, plan_layout
from iopf.emulator.races.catalogue import catalogue
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.emulator.spec.sites import point_name
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.play.system import Lab, LabError, build_lab
from iopf.tools.lab.report.where import Where
from iopf.tools.lab.search.draw import draw
from iopf.tools.lab.search.search import search
from iopf.tools.points.build import RUNTIME

ROOT = Path(iopf.__file__).parent.parent
WHAT = {1: "race", 2: "locked", 3: "fence", 4: "overtaken", 5: "relaxed"}


class Finding(ctypes.Structure):
    """`finding` of runtime.c."""

    _fields_ = [
        ("what", ctypes.c_uint32),
        ("point", ctypes.c_uint32),
        ("other_actor", ctypes.c_uint32),
        ("other_announced", ctypes.c_uint32),
        ("actor", ctypes.c_uint32),
        ("other_write", ctypes.c_uint32),
        ("write", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("offset", ctypes.c_uint64),
        ("pc", ctypes.c_void_p),
        ("other_pc", ctypes.c_void_p),
    ]


class Runtime:
    """The library that instrumented modules are linked with."""

    def __init__(self) -> None:
        self.lib = ctypes.CDLL(str(ROOT / RUNTIME))
        self.lib.points_watch.argtypes = [
            ctypes.c_void_p,
            ctypes.c_uint64,
            ctypes.c_uint64,
            ctypes.c_void_p,
        ]
        self.lib.points_finding.restype = ctypes.POINTER(Finding)
        self.lib.points_accesses.restype = self.lib.points_silent.restype = ctypes.c_uint64

    def watch(self, lab: Lab) -> None:
        layout = plan_layout(lab.plan.config)
        base = lab.scheduler.base_address
        self.lib.points_watch(
            base, layout[OFF_STACKS], layout[OFF_CREW], base + layout[OFF_RUNQUEUE]
        )

    def findings(self) -> Iterator[Finding]:
        for number in range(self.lib.points_found()):
            yield self.lib.points_finding(number).contents


def play(
    runtime: Runtime, name: str, lab: Lab, schedules: int, seen: set[tuple[int, int, int]]
) -> Iterator[dict[str, Any]]:
    """The new findings of one system; adds them to `seen`."""
    with lab:
        runtime.watch(lab)
        runtime.lib.points_on(1)
        search(lab, 1, seconds=60, most=schedules)
        runtime.lib.points_on(0)
        runtime.lib.points_unwatch()
        where = Where(lab.plan.config)
        for found in runtime.findings():
            key = (found.what, found.pc or 0, found.other_pc or 0)
            if key in seen:
                continue
            seen.add(key)
            yield {
                "what": WHAT[found.what],
                "system": name,
                "actor": lab.names[found.actor],
                "other": lab.names[found.other_actor],
                "point": point_name(found.point) if found.point else "begin",
                "region": where.region(found.offset),
                "kind": ("read", "write", "tally", "rmw")[found.write],
                "other_kind": ("read", "write", "tally")[found.other_write],
                "other_announced": bool(found.other_announced),
                "pc": found.pc,
                "other_pc": found.other_pc,
            }


# Known bugs of a generation are contained: they would show here too, and are in the catalogue.
_CONTAINED = {"checks": {"known": "count"}}


def systems(programs: int, only: str) -> Iterator[tuple[str, Lab]]:
    """The fixed variants of the catalogue, a trace whose tenant waits at gates, and a number of random programs per generation."""
    if only in "gates":
        trace = {"files": [str(Path(__file__).with_name("gates.trace"))], "group_limit": 2}
        replay = [{"workload": {"pattern": "replay"}}]
        yield "gates", build_lab(memory="sc", whole=True, trace=trace, device=replay)
    for race in catalogue().values():
        if only in race.slug:
            yield race.slug, lab_of(race, defective=False, memory="sc")
    for generation in GENERATIONS:
        random, made = Random(1), 0
        while made < programs and not only:
            drawn = draw(random, generation)
            try:
                lab = build_lab(*drawn.programs, memory="sc", **{**drawn.arguments, **_CONTAINED})
            except (ScenarioError, LabError):
                continue  # invalid; try the next one
            made += 1
            yield f"program {made} on {generation}", lab


class Symbols:
    """Function and line of a program counter, by addr2line."""

    def __init__(self) -> None:
        self.maps = []
        for line in Path("/proc/self/maps").read_text().splitlines():
            parts = line.split()
            if len(parts) > 5 and parts[5].endswith(".so"):
                start, end = (int(part, 16) for part in parts[0].split("-"))
                self.maps.append((start, end, int(parts[2], 16), parts[5]))

    def lines(self, pcs: list[int]) -> dict[int, list[str]]:
        """pc -> `file:line function` of the innermost inlined function, then of its callers."""
        by_module: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for pc in pcs:
            for start, end, offset, module in self.maps:
                if start <= pc < end:
                    by_module[module].append((pc, pc - 1 - start + offset))
        made: dict[int, list[str]] = {}
        for module, places in by_module.items():
            asked = ["addr2line", "-a", "-f", "-i", "-e", module, *(hex(at) for _, at in places)]
            told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
            blocks = told.split("0x")[1:]
            for (pc, _), block in zip(places, blocks, strict=True):
                made[pc] = list(_frames(block.splitlines()[1:]))
        return made


def _frames(lines: list[str]) -> Iterator[str]:
    for function, place in zip(lines[::2], lines[1::2], strict=True):
        name = function.removeprefix("__pyx_f_").removeprefix("__pyx_")
        if place.startswith("??") or "atomic.h" in place:
            continue
        path = (
            place.split(" (")[0]
            .removeprefix(f"{ROOT}/")
            .split("/./")[-1]
            .removeprefix("./")
            .removeprefix("iopf/")
        )
        yield f"{path} {_plain(name)}"


def _plain(name: str) -> str:
    """A function's name without Cython's mangled module prefix, whose parts have length prefixes."""
    while length := re.match(r"\d+", name):
        name = name[length.end() + int(length[0]) :].removeprefix("_")
    return name


def main(schedules: int, programs: int, blind: int, weak: int, only: str) -> int:
    runtime = Runtime()
    runtime.lib.points_blind(blind)
    runtime.lib.points_weaken(weak)
    found: list[dict[str, Any]] = []
    seen: set[tuple[int, int, int]] = set()
    played = 0
    for name, lab in systems(programs, only):
        played += 1
        found += play(runtime, name, lab, schedules, seen)
    symbols = Symbols().lines(
        sorted({pc for entry in found for pc in (entry["pc"], entry["other_pc"]) if pc})
    )
    for entry in found:
        entry["at"] = symbols.get(entry.pop("pc"), [])
        entry["other_at"] = symbols.get(entry.pop("other_pc"), [])
    json.dump(
        {
            "systems": played,
            "accesses": runtime.lib.points_accesses(),
            "silent": runtime.lib.points_silent(),
            "findings": found,
        },
        sys.stdout,
    )
    return 0


if __name__ == "__main__":
    _schedules, _programs, _blind, _weak = map(int, sys.argv[1:5])
    sys.exit(main(_schedules, _programs, _blind, _weak, sys.argv[5]))
