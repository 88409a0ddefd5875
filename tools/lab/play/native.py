# SPDX-License-Identifier: MIT
"""A race without control: its programs run repeatedly as an ordinary system, each actor in a process, until a run fails.

`iopf stress` runs systems in this way; controlled schedules are compared with it. `noise` yields and sleeps at random scheduling
points. `start` holds no actor here, so an operation may fail because another actor was not ready; such a failure alone does not count.
What counts must hold in every run: no detector fires, the accounts agree, no object leaks, no process dies or gets stuck.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from iopf.emulator.races.catalogue import Race
from iopf.emulator.scenario.schema import System as Defaults
from iopf.emulator.spec.text import counted
from iopf.shm.objects import ArenaError
from iopf.shm.procs import state
from iopf.tools.lab.play.system import resolve_programs
from iopf.tools.lab.search.search import Found
from iopf.tools.status import Status
from iopf.tools.supervisor.monitor import Monitor, Signals
from iopf.tools.supervisor.plan import plan_system
from iopf.tools.supervisor.programs import failed_lines, failure_text, line_results
from iopf.tools.supervisor.result import build_result
from iopf.tools.supervisor.system import Options, System

NATIVE: dict[str, bool] = {"native": False, "noise": True}  # whether scheduling points add noise
WATCHDOG_S = 2.0
SEEDS = 2**63  # the largest seed of a scenario
_NOISE = (Defaults().noise_yield_in, Defaults().noise_sleep_in)


class Stopped(Exception):
    """A signal ended this process's work and the run in progress. `found`: the result until then."""

    def __init__(self, status: Status, found: Found | None = None) -> None:
        super().__init__(f"stopped with status {status}")
        self.status, self.found = status, found


def _nobody_stopped(system: System) -> None:
    """A process that somebody else has stopped is no finding. Raises ArenaError (status 7)."""
    stopped = [each.label() for each in system.children if each.alive and state(each.pid) == "T"]
    if stopped:
        raise ArenaError(
            f"{stopped[0]} was stopped by a signal from outside, so the run says nothing; run again",
            Status.UNTRUSTED,
        )


def run_once(race: Race, seed: int, *, defective: bool, noise: bool) -> list[str]:
    """Run the race once and return its failures, one per line. Raises ScenarioError, ArenaError, Stopped."""
    with Signals().installed() as signals:
        tables = race.document(defective=defective)
        tables["checks"] = {
            "warnings": "count",
            **tables.get("checks", {}),
        }  # detectors judge a race
        tables["system"] = {**tables.get("system", {}), "watchdog_s": WATCHDOG_S, "seed": seed}
        resolved = resolve_programs(race.programs, tables)
        plan = plan_system(resolved.scenario, race.slug, seed)
        if race.queue_records:
            plan.config["prq_records"] = race.queue_records
        with System.build(plan, Options(noise=_NOISE if noise else (0, 0)), {}) as system:
            monitor = Monitor(system, 0.0, WATCHDOG_S, lambda _: None, lambda _: None)
            outcome = monitor.run()
            if outcome.status == Status.STUCK:
                _nobody_stopped(system)
            result = build_result(resolved, plan, system, outcome)
            refused = set(map(failure_text, failed_lines(line_results(plan, system.snapshot))))
    for each in (signals, monitor.signals):
        if each.stops:
            raise Stopped(each.status)
    problems = [problem for problem in result["problems"] if problem not in refused]
    if result["status"] in (Status.DIED, Status.STUCK):
        return [outcome.reason, *problems]
    return problems if result["status"] != Status.OK else []


def search_native(
    race: Race,
    seed: int,
    *,
    seconds: float,
    noise: bool,
    defective: bool = True,
    most: int | None = None,
    tell: Callable[[str], None] = lambda _line: None,
) -> Found:
    """Run a variant until a run fails, the budget ends, or `most` runs are done. Raises what `run_once` raises."""
    began, runs = time.monotonic(), 0
    with Signals().installed() as signals:
        while True:
            try:
                what = run_once(race, (seed + runs) % SEEDS, defective=defective, noise=noise)
            except Stopped as stopped:
                stopped.found = Found(runs, 0, time.monotonic() - began)
                raise
            runs += 1
            found = Found(runs, 0, time.monotonic() - began, None, what or None)
            if what or found.seconds > seconds or runs == most:
                return found
            if signals.stops:
                raise Stopped(signals.status, found)
            tell(f"{counted(runs, 'run')}, {found.seconds:.0f} s")
