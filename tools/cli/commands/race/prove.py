"""`iopf race prove`: every schedule up to a bound."""

from __future__ import annotations

import json
import time

import click

from tools.cli.commands.race.common import complete_race, race_named
from tools.cli.lazy import Command
from tools.cli.status import Status


@click.command(
    "prove",
    cls=Command,
    examples=(
        ("iopf race prove 4.22", "every schedule of the fixed variant with at most two delays"),
        ("iopf race prove 4.22 --defective", "how many delays the bug needs"),
    ),
)
@click.argument("name", shell_complete=complete_race)
@click.option("--defective", is_flag=True, help="The variant with the bug.")
@click.option(
    "--delays",
    type=click.IntRange(0, 8),
    default=2,
    metavar="N",
    help="At most so many delays in a schedule (default 2).",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.001, 86400),
    default=60.0,
    metavar="S",
    help="Budget (default 60).",
)
@click.option("--json", "json_out", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    defective: bool,
    delays: int,
    seconds: float,
    json_out: bool,
) -> int:
    """Play every schedule that has at most N delays, beginning with none.

    Actors take turns: whoever goes goes on until it cannot. A delay passes over the one whose turn it is,
    at any step. What is proved is that no such schedule fails, under sequential consistency, with
    switches at the scheduling points. Status 1: one fails. Status 0: none does, or the budget ended,
    which is said.
    """
    from emulator.sched.judge import Bug
    from tools.lab.races import lab_of
    from tools.lab.search import failure_of, shortest, what
    from tools.lab.table import rows
    from tools.lab.where import Where

    race = race_named(ctx, name)
    began, played, complete = time.monotonic(), 0, -1
    failing: list[str] = []
    table: list[str] = []
    with lab_of(race, defective=defective) as lab:
        for number in range(delays + 1):
            left = seconds - (time.monotonic() - began)
            bug, schedules, whole, at = lab.conductor.exhaust(number, max(0, int(left * 1e9)))
            played += schedules
            if bug != Bug.BUG_NONE:
                failing = what(lab, bug)
                short = shortest(lab, failure_of(lab, bug))
                lab.conductor.replay(short.path)
                table = list(rows(lab.conductor.trace, lab.names, Where(lab.plan.config)))
            if not whole:
                break
            complete = number
    took = time.monotonic() - began
    if json_out:
        document = {
            "race": race.slug,
            "variant": "defective" if defective else "fixed",
            "memory": "sc",
            "schedules": played,
            "seconds": took,
            "complete_up_to_delays": complete if complete >= 0 else None,
            "failure": failing,
            "failure_delays": len(at) if failing else None,
        }
        click.echo(json.dumps(document))
        return Status.FAILED if failing else Status.OK
    variant = "defective" if defective else "fixed"
    click.echo(click.style(f"{race.number} {race.slug} on {race.generation}, {variant}", bold=True))
    for line in failing:
        click.echo(line)
    counted = f"{played:,} schedules in {took:.1f} s; memory model sc"
    if failing:
        click.echo(f"fails with {len(at)} delays, at steps {at}; {counted}\n")
        for row in table:
            click.echo(row)
        return Status.FAILED
    if complete == delays:
        click.echo(f"proved: no schedule with at most {delays} delays fails; {counted}")
    else:
        done = (
            f"no schedule with at most {complete} delays fails"
            if complete >= 0
            else "nothing is proved"
        )
        click.echo(f"the budget ended: {done}; {counted}")
    return Status.OK
