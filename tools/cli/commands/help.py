# SPDX-License-Identifier: MIT
"""`iopf help`: topic pages, shipped as text in the package."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click
from click.shell_completion import CompletionItem
from iopf.tools.cli.lazy import Command, LazyGroup, near
from iopf.tools.cli.markup import rendered
from iopf.tools.cli.pager import page_lines
from iopf.tools.status import Status

_PAGES = Path(__file__).parent.parent / "pages"


def topics() -> dict[str, str]:
    """Topic -> its one-line summary, the heading of its page."""
    found = {}
    for path in sorted(_PAGES.glob("*.md")):
        with open(path, encoding="utf-8") as file:
            found[path.stem] = file.readline().lstrip("# ").strip()
    return found


def page(topic: str) -> str:
    """The text of a topic, with the tables that are generated from the code."""
    text = (_PAGES / f"{topic}.md").read_text(encoding="utf-8")
    if topic == "scenario":
        from iopf.emulator.scenario.describe import help_lines

        text += "\n".join(help_lines()) + "\n"
    elif topic == "programs":
        from iopf.emulator.program.describe import help_lines as verb_lines

        text += "\n".join(verb_lines()) + "\n"
    elif topic == "stress":
        from iopf.tools.stress.mix import help_lines as mix_lines

        text += "\n".join(mix_lines()) + "\n"
    return text


def _complete(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    found = topics().items()
    return [CompletionItem(name, help=text) for name, text in found if name.startswith(incomplete)]


def _show(ctx: click.Context, text: str) -> None:
    """A page: rendered and paged on a terminal, elsewhere as it is written."""
    if not sys.stdout.isatty():
        click.echo(text, nl=False)
        return
    width = shutil.get_terminal_size().columns
    page_lines(rendered(text.splitlines(), width), color=ctx.color)


@click.command(
    "help",
    cls=Command,
    examples=(
        ("iopf help", "the list of topics"),
        ("iopf help exit-codes", "the meaning of the exit status"),
    ),
)
@click.argument("topic", required=False, shell_complete=_complete)
@click.pass_context
def command(ctx: click.Context, topic: str | None) -> int:
    """Explain a topic, or a command."""
    pages = topics()
    if topic is None:
        click.echo("Topics (iopf help TOPIC):\n")
        for name, summary in pages.items():
            click.echo(f"  {name:<12}  {summary}")
        click.echo("\nHelp for a command: iopf COMMAND --help")
        return Status.OK
    if topic in pages:
        _show(ctx, page(topic))
        return Status.OK
    group = ctx.parent.command if ctx.parent is not None else None
    if isinstance(group, LazyGroup) and topic in group.entries:
        found = group.get_command(ctx, topic)
        assert found is not None
        with found.make_context(topic, [], ctx.parent, resilient_parsing=True) as inner:
            click.echo(found.get_help(inner))
        return Status.OK
    commands = list(group.entries) if isinstance(group, LazyGroup) else []
    ctx.fail(f"no topic '{topic}'{near(topic, [*pages, *commands])}")
