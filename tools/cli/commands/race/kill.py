"""`iopf race kill`: actors killed at their scheduling points."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import click

from tools.cli.commands.race.common import complete_race, race_named
from tools.cli.lazy import Command, near
from tools.cli.status import Status


@click.command(
    "kill",
    cls=Command,
    examples=(
        ("iopf race kill 4.22", "every actor at each of its points, in ten schedules"),
        ("iopf race kill 4.22 --actor dev-00 --mode processes", "by SIGKILL to real processes"),
    ),
)
@click.argument("name", shell_complete=complete_race)
@click.option(
    "--actor", "actors", multiple=True, metavar="ACTOR", help="Kill this one; repeatable."
)
@click.option(
    "--schedules",
    type=click.IntRange(1, 100_000),
    default=10,
    metavar="N",
    help="Schedules in which it is killed (default 10).",
)
@click.option(
    "--mode",
    type=click.Choice(["fibers", "processes"]),
    default="fibers",
    help="Left standing as a fiber, or killed as a process (default fibers).",
)
@click.option("--json", "json_out", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    actors: tuple[str, ...],
    schedules: int,
    mode: str,
    json_out: bool,
) -> int:
    """Kill each actor of a race's fixed variant at each of its scheduling points, and look at the others.

    A dead device is a surprise removal, a dead tenant an exit while bound: the others must come to the
    end of their programs and no detector may speak. A dead kernel process or IOMMU is a crash of the
    machine: the others must come to rest. Status 1 when they do not.
    """
    from contextlib import nullcontext

    from tools.lab.kill import kill_everywhere, victims
    from tools.lab.players import Players
    from tools.lab.races import lab_of

    race = race_named(ctx, name)
    killed = []
    with lab_of(race, defective=False, memory="sc") as lab:
        all_of_them = victims(lab)
        known = [victim.name for victim in all_of_them]
        for actor in actors:
            if actor not in known:
                ctx.fail(f"no actor is called '{actor}'{near(actor, known)}")
        began = time.monotonic()
        with Players(lab) if mode == "processes" else nullcontext() as players:
            for victim in all_of_them:
                if not actors or victim.name in actors:
                    killed.append(
                        kill_everywhere(lab, victim, seeds=range(schedules), players=players)
                    )
        took = time.monotonic() - began
    points = sum(each.points for each in killed)
    bad = sum(len(each.failures) for each in killed)
    if json_out:
        document = {"race": race.slug, "mode": mode, "seconds": took}
        click.echo(json.dumps({**document, "killed": [asdict(each) for each in killed]}))
    else:
        click.echo(f"{'actor':<20}{'role':<10}{'kills':>8}{'failures':>10}")
        for each in killed:
            click.echo(f"{each.actor:<20}{each.role:<10}{each.points:>8,}{len(each.failures):>10}")
            for step, seed, lines in each.failures[:3]:
                click.echo(f"  schedule {seed}, before step {step}: {lines[0]}")
        click.echo(
            f"{points:,} kills in {took:.1f} s, {points / took:,.0f} per second; {bad} failures"
        )
    return Status.FAILED if bad else Status.OK
