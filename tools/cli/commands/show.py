# SPDX-License-Identifier: MIT
"""`iopf show`: every value of a scenario with its source."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.output import echo
from iopf.tools.cli.overrides import complete_scenario, set_option
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.scenario.resolution import Resolved


@click.command(
    "show",
    cls=Command,
    examples=(
        ("iopf show overflow", "every value, and the file or option it comes from"),
        ("iopf show overflow --toml > mine.toml", "a complete scenario, to edit"),
    ),
)
@click.argument("scenario", required=False, shell_complete=complete_scenario)
@set_option
@click.option("--json", "form", flag_value="json", help="One JSON object.")
@click.option("--toml", "form", flag_value="toml", help="A scenario file with every value.")
@click.option("--schema", "form", flag_value="schema", help="JSON schema of scenario files.")
def command(scenario: str | None, sets: tuple[str, ...], form: str | None) -> int:
    """Show every value of a scenario and its source; without one, the defaults."""
    if form == "schema":
        from iopf.emulator.scenario.describe import json_schema

        click.echo(json.dumps(json_schema(), indent=2))
        return Status.OK
    from iopf.emulator.scenario.resolution import resolve

    resolved = resolve(scenario, sets)
    if form == "json":
        click.echo(json.dumps(_document(resolved), indent=2))
    elif form == "toml":
        click.echo(resolved.to_toml(), nl=False)
    else:
        for line, dim in _table(resolved):
            echo(line, dim=dim)
    return Status.OK


def _document(resolved: Resolved) -> dict[str, Any]:
    return {
        "schema": "iopf/1",
        "type": "scenario",
        "name": resolved.name,
        "values": resolved.values,
        "sources": resolved.sources,
        "notes": resolved.notes,
    }


def _table(resolved: Resolved) -> list[tuple[str, bool]]:
    """`path = value   source`, in columns. Values left to defaults are faint on a terminal."""
    rows = [(f"{path} = {_text(value)}", path) for path, value in resolved.values.items()]
    width = min(60, max(len(text) for text, _ in rows))
    lines = []
    for text, path in rows:
        source = resolved.sources[path]
        lines.append((f"{text:<{width}}  {source}", source == "default"))
    return lines


def _text(value: Any) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)
