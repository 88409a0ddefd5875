# SPDX-License-Identifier: MIT
"""`iopf race kill`: actors killed or stopped at their scheduling points."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

import click
from iopf.emulator.spec.text import counted
from iopf.tools.cli.commands.race.common import (
    progress,
    system_argument,
    target_named,
    tells_when_stopped,
)
from iopf.tools.cli.lazy import Command, near
from iopf.tools.cli.options import json_option, mode_option, seed_option
from iopf.tools.cli.output import detail, echo, quiet_option
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.tools.lab.play.processes import ActorProcesses
    from iopf.tools.lab.play.system import Lab
    from iopf.tools.lab.search.kill import Tried, TriedPair, Victim


@click.command(
    "kill",
    cls=Command,
    examples=(
        ("iopf race kill 4.22", "every actor at each of its points, in ten schedules"),
        ("iopf race kill 4.22 --actor dev-00 --mode processes", "with SIGKILL to real processes"),
        ("iopf race kill quickstart --signal stop", "a scenario: stopped, then continued"),
        ("iopf race kill my.toml --pairs 100", "two actors, the second after the first"),
    ),
)
@system_argument
@click.option(
    "--signal",
    "number",
    type=click.Choice(["kill", "stop"]),
    default="kill",
    help="Kill, or stop until all others are blocked or polling (default kill).",
)
@click.option(
    "--pairs",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Kill two actors, at N random pairs of points per pair of actors.",
)
@click.option(
    "--actor",
    "actors",
    multiple=True,
    metavar="ACTOR",
    help="Only this actor, or pairs that begin with it; repeatable.",
)
@click.option(
    "--schedules",
    type=click.IntRange(1, 100_000),
    default=10,
    metavar="N",
    help="Number of schedules (default 10).",
)
@seed_option(0, most=2**62, what="Seed of the first schedule and of the random pairs")
@mode_option(what="Skip the actor as a fiber, or signal its process")
@quiet_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    number: str,
    pairs: int | None,
    actors: tuple[str, ...],
    schedules: int,
    seed: int,
    mode: str,
    json_out: bool,
) -> int:
    """Kill or stop each actor of a system at each of its scheduling points, and check the others.

    NAME is a race (its fixed variant) or a scenario (a shipped name or a TOML file, which is reduced). A dead device is a surprise
    removal, a dead tenant an exit while bound: the remaining actors must finish their programs and no detector may fire. A dead kernel
    process or IOMMU is a machine crash: the remaining actors must block or poll. A stopped actor is resumed when the others are blocked or
    polling, and everything must succeed. Status 1: a failure.
    """
    from iopf.tools.lab.play.processes import processes_for
    from iopf.tools.lab.search.kill import victims

    if pairs is not None and number == "stop":
        ctx.fail("--pairs cannot be combined with --signal stop")
    target = target_named(ctx, name, defective=False)
    with target.lab(memory="sc") as lab, tells_when_stopped(lab):
        all_of_them = victims(lab)
        known = [victim.name for victim in all_of_them]
        for actor in actors:
            if actor not in known:
                ctx.fail(f"no actor '{actor}'{near(actor, known)}")
        chosen = [victim for victim in all_of_them if not actors or victim.name in actors]
        seeds = range(seed, seed + schedules)
        began = time.monotonic()
        with processes_for(lab, mode) as procs:
            tried: Sequence[Tried | TriedPair]
            if pairs is None:
                tried = singly = list(_each(lab, chosen, number, seeds, procs))
                table = _table(singly, number)
            else:
                tried = both = list(_pairs(lab, chosen, all_of_them, pairs, seeds, procs))
                table = _pair_table(both, pairs, seed)
        took = time.monotonic() - began
    progress("")
    bad = sum(len(each.failures) for each in tried)
    if json_out:
        document = {
            "system": target.name,
            "signal": number,
            "mode": mode,
            "schedules": schedules,
            "seed": seed,
            "pairs": pairs,
            "seconds": took,
            "points": sum(each.points for each in tried),
            "failures": bad,
            "stopped" if number == "stop" else "killed": [asdict(each) for each in tried],
        }
        click.echo(json.dumps(document))
    else:
        detail([f"{target.title}, in {mode}"], level=2, bold=True)
        detail(table)
        points = sum(each.points for each in tried)
        what = ("pair of kills", "pairs of kills") if pairs is not None else (number,)
        rate = f"{points / took:,.0f} per second"
        echo(f"{counted(points, *what)} in {took:.1f} s, {rate}; {counted(bad, 'failure')}")
    return Status.FAILED if bad else Status.OK


def _each(
    lab: Lab, chosen: Sequence[Victim], number: str, seeds: range, procs: ActorProcesses | None
) -> Iterator[Tried]:
    from iopf.tools.lab.search.kill import kill_everywhere
    from iopf.tools.lab.search.stop import stop_everywhere

    everywhere = stop_everywhere if number == "stop" else kill_everywhere
    for victim in chosen:
        yield everywhere(lab, victim, seeds=seeds, procs=procs, tell=progress)


def _pairs(
    lab: Lab,
    firsts: Sequence[Victim],
    seconds: Sequence[Victim],
    most: int,
    seeds: range,
    procs: ActorProcesses | None,
) -> Iterator[TriedPair]:
    from iopf.tools.lab.search.kill import kill_pairs

    for first in firsts:
        for second in seconds:
            if first.slot != second.slot:
                progress(f"{first.name}, {second.name}")
                yield kill_pairs(lab, first, second, most=most, seeds=seeds, procs=procs)


def _table(tried: Sequence[Tried], number: str) -> Iterator[str]:
    yield f"{'actor':<20}{'role':<10}{'stops' if number == 'stop' else 'kills':>8}{'failures':>10}"
    for each in tried:
        yield f"{each.actor:<20}{each.role:<10}{each.points:>8,}{len(each.failures):>10}"
        for step, schedule, lines in each.failures[:3]:
            yield f"  schedule {schedule}, before step {step}: {lines[0]}"


def _pair_table(tried: Sequence[TriedPair], pairs: int, seed: int) -> Iterator[str]:
    """A row per first victim; of the second victims only failures."""
    yield f"{pairs:,} random pairs of points per pair of actors, seed {seed}"
    yield f"{'dies first':<20}{'then one of':>12}{'pairs':>8}{'failures':>10}"
    for first, group in groupby(tried, key=lambda each: each.first):
        each_of = list(group)
        points = sum(each.points for each in each_of)
        failures = sum(len(each.failures) for each in each_of)
        yield f"{first:<20}{len(each_of):>12}{points:>8,}{failures:>10}"
        for each in each_of:
            for step, after, schedule, lines in each.failures[:3]:
                yield (
                    f"  {each.second}, schedule {schedule}, before steps {step} and {after}: "
                    f"{lines[0]}"
                )
    few = [each for each in tried if each.points < pairs]
    if few:
        yield f"fewer for {len(few)} of {len(tried)}: no step of the second after the first's death"
