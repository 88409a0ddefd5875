# SPDX-License-Identifier: MIT
"""`iopf race bench`: efficiency and speed of the search."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from iopf.tools.cli.commands.race.common import complete_race, given, progress, race_named
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option, seconds_option
from iopf.tools.cli.output import echo, output_option, quiet_option, written
from iopf.tools.cli.streams import can_print
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.races.catalogue import Race
    from iopf.tools.lab.search.bench import Measured


@click.command(
    "bench",
    cls=Command,
    examples=(
        ("iopf race bench --quick", "every race and strategy, a few trials each"),
        ("iopf race bench --trials 100 -o bench.json", "numbers to keep"),
        (
            "iopf race bench --strategy portfolio --strategy native --strategy noise",
            "controlled schedules against plain stress",
        ),
        ("iopf race bench --rates", "schedules per second against their goals"),
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=complete_race)
@click.option(
    "--trials",
    type=click.IntRange(1, 10_000),
    default=20,
    metavar="N",
    help="Seeds per race and strategy (default 20).",
)
@seconds_option(5, most=3600, what="Budget of a trial")
@click.option(
    "--strategy",
    "strategies",
    type=click.Choice(["portfolio", "random", "pct", "pos", "urw", "native", "noise"]),
    multiple=True,
    help="Measure this strategy only; repeatable (default all but native and noise).",
)
@click.option("--quick", is_flag=True, help="Three trials of half a second.")
@click.option(
    "--rates",
    is_flag=True,
    help="Only schedules per second and the cost of a disabled point.",
)
@quiet_option
@json_option
@output_option("Also write the JSON to a file.")
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    trials: int,
    seconds: float,
    strategies: tuple[str, ...],
    quick: bool,
    rates: bool,
    json_out: bool,
    output: Path | None,
) -> int:
    """Search every race of the catalogue, or those given, with every strategy; check the fixed variants.
    Results within 1, 10 and 60 seconds are computed from the times of the trials.

    The strategies native and noise are ordinary runs of real processes, for comparison; they take
    long.

    Status 1: a fixed variant failed or a replay differed, which no budget excuses. Races that are
    not found within the budget are listed, and a rate below its goal is marked, without an effect
    on the status: both depend on time and machine.

    Ctrl-C ends it with the races measured so far.
    """
    from iopf.emulator.races.catalogue import catalogue

    races = [race_named(ctx, name) for name in names] or list(catalogue().values())
    if rates:
        return _rates(ctx, races, quick, json_out, output)
    from iopf.tools.lab.play.native import Stopped
    from iopf.tools.lab.report.bench import ASCII, BLOCKS, document, table, wrong
    from iopf.tools.lab.search.bench import Plan, measure
    from iopf.tools.lab.search.search import STRATEGIES

    if quick:
        _refuse(ctx, ("trials", "seconds"), "--quick")
    chosen = strategies or tuple(STRATEGIES)
    plan = Plan(3, 0.5, 2000, 5, chosen) if quick else Plan(trials, seconds, 20_000, 20, chosen)
    measured: list[Measured] = []
    stop: Stopped | KeyboardInterrupt | None = None
    try:
        for each in measure(races, plan, progress):
            measured.append(each)
    except (Stopped, KeyboardInterrupt) as stopped:
        stop = stopped
    progress("")
    made = document(measured, plan, complete=stop is None)
    levels = BLOCKS if can_print(BLOCKS) else ASCII
    _hand_out(made, table(measured, plan, levels), json_out, output)
    bad = wrong(measured)
    for line in bad:
        echo(f"wrong: {line}", err=True)
    if stop is not None:
        done, wanted = (len(each) * len(chosen) for each in (measured, races))
        echo(f"interrupted after {done:,} of {wanted:,} searches", err=True)
    if isinstance(stop, Stopped):
        return stop.status
    if stop is not None:
        raise stop
    return Status.FAILED if bad else Status.OK


def _refuse(ctx: click.Context, names: Sequence[str], with_flag: str) -> None:
    """Raise a usage error for an option that conflicts with another one."""
    for name in names:
        if given(ctx, name):
            option = {"strategies": "strategy"}.get(name, name)
            ctx.fail(f"--{option} cannot be combined with {with_flag}")


def _rates(
    ctx: click.Context, races: Sequence[Race], quick: bool, json_out: bool, output: Path | None
) -> int:
    from iopf.tools.bench.harness import ContenderError
    from iopf.tools.bench.team import TeamError
    from iopf.tools.lab.report.rates import QUICK, Effort, RateError, document, rates, table

    _refuse(ctx, ("trials", "seconds", "strategies"), "--rates")
    try:
        figures = rates(races, QUICK if quick else Effort(), progress)
    except (RateError, ContenderError, TeamError) as error:
        progress("")
        echo(f"iopf: {error}", err=True)
        return Status.UNTRUSTED
    progress("")
    _hand_out(document(figures), table(figures), json_out, output)
    return Status.OK


def _hand_out(
    document: dict[str, Any], table: Sequence[str], json_out: bool, output: Path | None
) -> None:
    made = json.dumps(document)
    for line in [made] if json_out else table:
        echo(line)
    if output is not None:
        written(output, lambda: output.write_text(made + "\n"))
