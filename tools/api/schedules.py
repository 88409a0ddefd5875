# SPDX-License-Identifier: MIT
"""`explore`, `prove` and `replay` of the Python interface: schedules of a controlled system."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iopf.emulator.races.schedule_file import ScheduleFile, read
from iopf.tools.api.arguments import DEFAULTS, Settings, check_call, whole
from iopf.tools.api.errors import IopfError, reported
from iopf.tools.api.results import Counterexample, ExploreResult, ProveResult, ReplayResult
from iopf.tools.lab.play.processes import processes_for
from iopf.tools.lab.play.races import Origin, schedule_file
from iopf.tools.lab.play.replay import Replay, lab_in, replay_test
from iopf.tools.lab.play.system import Lab, build_lab
from iopf.tools.lab.report.table import rows
from iopf.tools.lab.report.where import Where
from iopf.tools.lab.search.failure import failure_of
from iopf.tools.lab.search.instrument import doubt, unreached
from iopf.tools.lab.search.minimise import constraints_of, minimise_schedule
from iopf.tools.lab.search.prove import DELAYS_MOST
from iopf.tools.lab.search.prove import prove as prove_lab
from iopf.tools.lab.search.search import Found, search
from iopf.tools.status import Status


def explore(
    *programs: Sequence[str],
    schedules: int = DEFAULTS.schedules,
    seconds: float = DEFAULTS.seconds,
    depth: int | None = None,
    seed: int = DEFAULTS.seed,
    memory: str = DEFAULTS.memory,
    mode: str = DEFAULTS.mode,
    **tables: Any,
) -> ExploreResult:
    """Run schedules of the programs until one fails or the budget ends, and minimise the failing one.

    `schedules`, `seconds`: the budget; `depth`: PCT of this depth instead of the portfolio of strategies; `memory`: "sc" or "tso";
    `mode`: "fibers" or "processes", one for each actor; `tables`: tables of the scenario by name, and `live` and `queue_records` as in
    the catalogue. The same arguments give the same schedules. Raises IopfError, also with status INCONCLUSIVE when nothing failed in a
    build that could not have seen a failure."""
    settings = Settings(schedules, None, seconds, depth, seed, memory, mode)
    settings.check("explore")
    check_call(programs, tables)
    with reported(programs), build_lab(*programs, memory=memory, **tables) as lab:
        with processes_for(lab, mode):
            found = search(lab, seed, seconds=seconds, most=schedules, plan=settings.plan)
        failure = None
        if found.failure is not None:
            failure = _minimised(lab, Origin(programs, tables, found, seed, settings.strategy))
        actors = unreached(lab) if found.schedules else []
    if failure is None:
        _assure(actors, memory)
    return ExploreResult(found.schedules, found.seconds, seed, memory, failure)


def prove(
    *programs: Sequence[str],
    executions: int | None = None,
    seconds: float = DEFAULTS.seconds,
    delays: int = 2,
    **tables: Any,
) -> ProveResult:
    """Run all schedules of the programs, each order of independent steps once, or all with at most `delays` delays if these are too many.

    With `executions`, that many are too many, and the outcome is the same on every machine that does not run out of `seconds`; if it does,
    the outcome is INCONCLUSIVE. Without it, the machine decides: those that take more than 0.6 of the seconds. `tables` as for `explore`.
    A proof holds under sequential consistency, for switches at scheduling points. Raises IopfError, also with status INCONCLUSIVE when
    nothing failed in a build that could not have seen a failure."""
    Settings(executions=executions, seconds=seconds).check("prove")
    if not whole(delays, 0, DELAYS_MOST):
        raise IopfError([f"prove(delays={delays!r}): expected 0 to {DELAYS_MOST}"])
    check_call(programs, tables)
    with reported(programs), build_lab(*programs, memory="sc", **tables) as lab:
        proof = prove_lab(
            lab, seconds=seconds, preemptions=-1, delays=delays, executions=executions
        )
        if proof.stopped:
            raise KeyboardInterrupt
        failure = None
        if proof.failure is not None:
            found = Found(0, 0, proof.seconds, proof.failure, proof.what)
            failure = _minimised(lab, Origin(programs, tables, found, DEFAULTS.seed, "prove"))
        actors = unreached(lab) if proof.executions else []
    if failure is None:
        _assure(actors, "sc")
    return ProveResult(
        outcome=proof.outcome,
        verdict=proof.verdict,
        played=proof.played,
        executions=proof.executions,
        delayed=proof.delayed,
        delays=proof.delays,
        timed=proof.timed,
        seconds=proof.seconds,
        failure=failure,
    )


def replay(
    file: str | os.PathLike[str], *, mode: str = DEFAULTS.mode, name: str | None = None
) -> ReplayResult:
    """Run the schedule of a file. In changed code it is followed as far as possible: by its ordering constraints if scheduling points
    differ, else step by step, without the steps whose actor is not runnable. `name`: the file's name in errors. Raises IopfError."""
    Settings(mode=mode).check("replay")
    path = Path(file)
    shown = Path(path if name is None else name)
    with reported():
        schedule = read(path, shown)
        with lab_in(schedule, shown) as lab:
            with processes_for(lab, mode):
                played = replay_test(lab, schedule, shown)
            failure = _replayed(lab, schedule, played) if played.failure else None
    return ReplayResult(played.same, failure)


def _assure(actors: list[str], memory: str) -> None:
    """Raise IopfError when a search without a failure could not have seen one. `actors`: as `unreached` returns them. No lab is open."""
    with reported():
        why = doubt(actors, memory)
    if why:
        raise IopfError([f"inconclusive: {why}"], Status.INCONCLUSIVE)


def _minimised(lab: Lab, origin: Origin) -> Counterexample:
    """The failure that was found, minimised."""
    short = minimise_schedule(lab, origin.found)
    file = schedule_file(lab, origin, short)
    constraints = None if file.constraints is None else tuple(file.constraints)
    return Counterexample(tuple(file.failure), short.preemptions, _table(lab), constraints, file)


def _replayed(lab: Lab, schedule: ScheduleFile, played: Replay) -> Counterexample:
    """The failure of the replay that has just run. Its table comes first: finding the constraints runs other schedules."""
    failing, table = failure_of(lab, played.bug), _table(lab)
    constraints = constraints_of(lab, failing)
    shown = None if constraints is None else tuple(map(str, constraints))
    return Counterexample(tuple(played.failure), failing.preemptions, table, shown, schedule)


def _table(lab: Lab) -> tuple[str, ...]:
    return tuple(rows(lab.scheduler.trace, lab.names, Where(lab.plan.config)))
