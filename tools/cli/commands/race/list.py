# SPDX-License-Identifier: MIT
"""`iopf race list`: the catalogue."""

from __future__ import annotations

import json

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.output import echo
from iopf.tools.status import Status


@click.command(
    "list",
    cls=Command,
    examples=(
        ("iopf race list", "all races, by their number in the catalogue"),
        ("iopf race list --json | jq -r '.[].slug'", "their slugs"),
    ),
)
@click.option("--json", "json_out", is_flag=True, help="One JSON list on standard output.")
def command(json_out: bool) -> int:
    """List the historic races that can be enabled and searched.

    A race is selected by number or slug; one with - (in JSON the number is "new") by slug.
    """
    from iopf.emulator.races.catalogue import THEMES, UNNUMBERED, catalogue

    if json_out:
        entries = [
            {
                "slug": race.slug,
                "number": race.number,
                "title": race.title,
                "theme": race.theme,
                "source": race.source,
                "generations": race.generations,
                "invariant": race.invariant,
                "oracle": race.oracle,
                "actors": race.actors,
                "depth": race.depth,
            }
            for race in catalogue().values()
        ]
        click.echo(json.dumps(entries, indent=2))
        return Status.OK
    for theme, meaning in THEMES.items():
        races = [race for race in catalogue().values() if race.theme == theme]
        if races:
            echo(f"{theme}: {meaning}", bold=True)
        for race in races:
            number = "-" if race.number == UNNUMBERED else race.number
            echo(f"  {number:<8}{race.slug:<43}{race.title}")
    echo(f"{len(catalogue())} races; iopf race show NAME prints details", err=True)
    return Status.OK
