# SPDX-License-Identifier: MIT
"""A click group that imports commands on first use, and help that starts with examples."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 98}


def _write_examples(formatter: click.HelpFormatter, examples: tuple[tuple[str, str], ...]) -> None:
    """Put the examples first: most readers need one of them."""
    formatter.write_dl(list(examples))
    formatter.write_paragraph()


class Command(click.Command):
    """A command with runnable examples at the start of its help."""

    def __init__(self, *args: Any, examples: tuple[tuple[str, str], ...] = (), **kw: Any) -> None:
        kw.setdefault("context_settings", CONTEXT)
        super().__init__(*args, **kw)
        self.examples = examples

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(formatter, self.examples)
        super().format_help(ctx, formatter)


class Entry(NamedTuple):
    """Location of a command (`module`, always its object `command`) and its summary."""

    module: str
    summary: str


class LazyGroup(click.Group):
    """A group over a table of entries; listing and completion import nothing."""

    def __init__(
        self,
        *args: Any,
        entries: dict[str, Entry],
        examples: tuple[tuple[str, str], ...] = (),
        **kw: Any,
    ) -> None:
        kw.setdefault("context_settings", CONTEXT)
        super().__init__(*args, **kw)
        self.entries = entries
        self.examples = examples

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.entries:
            return None
        command = import_module(self.entries[cmd_name].module).command
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Without a command, a group shows its help; some versions of click make that a usage error.
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # click's own suggestions use its table of commands, which is empty here.
        name = args[0]
        if not name.startswith("-") and name not in self.entries and not ctx.resilient_parsing:
            ctx.fail(f"no such command '{name}'{near(name, list(self.entries))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(formatter, self.examples)
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [name for name in self.entries if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self.entries[name].summary) for name in names]
        # Bypasses click.Group: it would import every command for its help text.
        return items + click.Command.shell_complete(self, ctx, incomplete)


def near(word: str, known: list[str], see: str = "") -> str:
    """`; did you mean 'run'?`, or the place of the list, or the whole list."""
    from difflib import get_close_matches

    found = get_close_matches(word, known, n=1)
    return (
        f"; did you mean '{found[0]}'?"
        if found
        else f"; {see or 'expected one of ' + ', '.join(known)}"
    )
