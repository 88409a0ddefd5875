# SPDX-License-Identifier: MIT
"""`iopf race show`: print one entry of the catalogue."""

from __future__ import annotations

import json
import textwrap

import click
import msgspec
from iopf.tools.cli.commands.race.common import race_argument, race_named
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option
from iopf.tools.cli.output import echo
from iopf.tools.status import Status

_WIDTH = 98


@click.command(
    "show",
    cls=Command,
    examples=(("iopf race show 4.22", "the unbind of v6.16 that frees a worker's group"),),
)
@race_argument
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, json_out: bool) -> int:
    """Print the story of a race: actors, events, cause, fix, source. NAME is a slug or a number."""
    race = race_named(ctx, name)
    if json_out:
        click.echo(json.dumps(msgspec.to_builtins(race), indent=2))
        return Status.OK
    echo(f"{race.title_name}: {race.title}", bold=True)
    echo()
    for text in race.story.strip().split("\n\n"):
        for line in textwrap.wrap(" ".join(text.split()), _WIDTH):
            echo(line)
    echo()
    for label, value in (
        ("fix", race.fix),
        ("source", race.source),
        ("invariant", race.invariant),
        ("generations", ", ".join(race.generations)),
        ("reported by", race.oracle),
        ("bug depth", f"{race.depth} (ordering constraints needed)"),
        ("actors", ", ".join(race.actors)),
    ):
        lines = textwrap.wrap(" ".join(value.split()), _WIDTH - 14)
        echo(f"{label:<14}{lines[0]}")
        for line in lines[1:]:
            echo(" " * 14 + line)
    echo()
    echo(f"On {race.generation}; each program has its own actors:")
    for number, program in enumerate(race.programs):
        echo(f"  program {number}")
        for line in program:
            echo(f"    {line}")
    echo(err=True)
    echo(f"find it: iopf race run {race.slug}", err=True)
    return Status.OK
