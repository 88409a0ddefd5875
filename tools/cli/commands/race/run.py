# SPDX-License-Identifier: MIT
"""`iopf race run`: search a race or scenario, minimise and print the failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from iopf.emulator.spec.text import counted
from iopf.tools.cli.commands.race.common import (
    a_race,
    assured,
    constraint_lines,
    full_option,
    given,
    progress,
    schedule_lines,
    system_argument,
    target_named,
    tells_when_stopped,
)
from iopf.tools.cli.commands.race.uncontrolled import MODES as UNCONTROLLED
from iopf.tools.cli.commands.race.uncontrolled import refuse_control, run_uncontrolled
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import (
    json_option,
    memory_option,
    mode_option,
    seconds_option,
    seed_option,
)
from iopf.tools.cli.output import detail, echo, output_option, quiet_option, written
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.races.schedule import Failure
    from iopf.tools.lab.play.system import Lab
    from iopf.tools.lab.play.target import Target
    from iopf.tools.lab.search.search import Found

SCHEDULES_MOST = 2**62


@click.command(
    "run",
    cls=Command,
    examples=(
        ("iopf race run remove-before-drain", "find it, print its minimised schedule"),
        ("iopf race run 4.22 --fixed --seconds 60", "search the variant without the bug"),
        ("iopf race run 4.22 --mode processes", "run every actor in its own process"),
        ("iopf race run ./mine.toml", "a scenario file, reduced"),
        ("iopf race run 4.22 --mode noise", "uncontrolled runs, repeated until one fails"),
    ),
)
@system_argument
@click.option("--fixed", is_flag=True, help="Use the fixed variant, without the defect.")
@seconds_option(10)
@click.option(
    "--schedules",
    type=click.IntRange(1, SCHEDULES_MOST),
    metavar="N",
    help="Maximum number of schedules or runs.",
)
@seed_option()
@click.option(
    "--strategy",
    type=click.Choice(["portfolio", "random", "pct", "pos", "urw", "dfs", "dpor"]),
    default="portfolio",
    help="Search strategy (default portfolio: all in turn).",
)
@memory_option
@mode_option(
    *UNCONTROLLED,
    what="Actors as fibers of one process or as processes; or repeated ordinary runs: native, "
    "or with noise at scheduling points",
)
@full_option
@output_option("Write the minimised schedule to a file.")
@quiet_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    fixed: bool,
    seconds: float,
    schedules: int | None,
    seed: int,
    strategy: str,
    memory: str,
    mode: str,
    full: bool,
    output: Path | None,
    json_out: bool,
) -> int:
    """Search the schedules of a system for a failing one.

    NAME is a race by slug or number (its defective variant), or a scenario (a shipped name or a TOML
    file, which is reduced).

    With --mode native or noise the order of steps is not controlled: --schedules counts runs, and a failure cannot be replayed.

    Status 1: found. Status 0: not found within the budget.
    """
    from functools import partial

    target = target_named(ctx, name, defective=not fixed)
    if fixed:
        a_race(ctx, target, "--fixed")
    if mode in UNCONTROLLED:
        refuse_control(ctx, mode)
        return run_uncontrolled(
            a_race(ctx, target, f"--mode {mode}"),
            target,
            seconds=seconds,
            most=schedules,
            seed=seed,
            mode=mode,
            json_out=json_out,
        )
    from iopf.tools.lab.play.processes import processes_for
    from iopf.tools.lab.play.races import Origin, save_schedule
    from iopf.tools.lab.search.instrument import unreached
    from iopf.tools.lab.search.minimise import minimise_schedule
    from iopf.tools.lab.search.search import STRATEGIES, WALKS, search, walk

    if strategy in WALKS and mode == "processes":
        ctx.fail(f"--strategy {strategy} needs fibers, not --mode processes")
    if strategy in WALKS and memory == "tso" and given(ctx, "memory"):
        ctx.fail(f"--strategy {strategy} needs sequential consistency, not --memory tso")
    most = schedules or SCHEDULES_MOST
    with target.lab(memory=memory) as lab, tells_when_stopped(lab):
        with processes_for(lab, mode):
            if strategy in WALKS:
                found = walk(lab, strategy, seconds=seconds, most=most, tell=progress)
            else:
                plan = STRATEGIES[strategy]
                found = search(lab, seed, seconds=seconds, most=most, plan=plan, tell=progress)
        if found.failure is not None:
            progress(f"found after {counted(found.schedules, 'schedule')}, minimising")
        short = minimise_schedule(lab, found) if found.failure is not None else None
        progress("")
        by = ", in processes" if mode == "processes" else ""
        if json_out:
            click.echo(json.dumps(_document(lab, target, seed, strategy, mode, found, short)))
        else:
            _print(lab, f"{target.title}{by}", found, short, full=full)
        if short is not None and output is not None:
            how = (target.programs, target.tables, found, seed, strategy, target.race)
            save = partial(save_schedule, lab, Origin(*how), short, output)
            written(output, save)
        actors = unreached(lab) if found.schedules else []
    return assured(Status.OK, actors, memory) if short is None else Status.FAILED


def _document(
    lab: Lab,
    target: Target,
    seed: int,
    strategy: str,
    mode: str,
    found: Found,
    short: Failure | None,
) -> dict[str, Any]:
    from iopf.emulator.races.schedule_file import segments
    from iopf.tools.lab.search.minimise import constraints_of

    constraints = constraints_of(lab, short) if short else None
    return {
        **target.document(),
        "seed": seed,
        "strategy": strategy,
        "mode": mode,
        "memory": lab.explores,
        "needs": lab.memory if short else None,
        "found": short is not None,
        "schedules": found.schedules,
        "seconds": found.seconds,
        "complete": found.complete,
        "timeouts_only_at_rest": found.timed,
        "steps": found.steps,
        "failure": found.what or [],
        "preemptions": short.preemptions if short else None,
        "constraints": [str(each) for each in constraints] if constraints is not None else None,
        "segments": segments(short.path, lab.names) if short else None,
    }


def _print(lab: Lab, title: str, found: Found, short: Failure | None, *, full: bool) -> None:
    from iopf.tools.lab.search.minimise import constraints_of
    from iopf.tools.lab.search.search import AT_REST

    detail([title], level=2, bold=True)
    played = f"{counted(found.schedules, 'schedule')} in {found.seconds:.2f} s"
    if short is None or found.failure is None:
        these = (
            f"; all schedules explored{AT_REST if found.timed else ''}" if found.complete else ""
        )
        echo(
            f"not found in {played}, {found.per_second:,.0f} per second{these}; memory model {lab.explores}"
        )
        return
    detail(found.what or [], level=2)
    echo(
        f"found after {played}; {counted(found.failure.preemptions, 'preemption')}, minimised to "
        f"{short.preemptions} in {counted(len(short.path), 'step')}; explored {lab.explores}, needs {lab.memory}"
    )
    detail()
    constraints = constraints_of(lab, short)
    lab.scheduler.replay(short.path)
    detail(schedule_lines(lab, full=full, constraints=constraints))
    detail(constraint_lines(constraints, numbered=full))
