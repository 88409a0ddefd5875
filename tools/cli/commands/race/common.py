"""What the race commands share: finding an entry by its name, and completing names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from tools.cli.lazy import near

if TYPE_CHECKING:
    from emulator.sched.catalogue import Race


def complete_race(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from emulator.sched.catalogue import catalogue

    found = catalogue().values()
    return [CompletionItem(r.slug, help=r.title) for r in found if r.slug.startswith(incomplete)]


def race_named(ctx: click.Context, name: str) -> Race:
    """The entry, or a usage error with the nearest slug."""
    from emulator.sched.catalogue import catalogue, find

    race = find(name)
    if race is None:
        ctx.fail(f"no race is called '{name}'{near(name, list(catalogue()))}")
    return race
