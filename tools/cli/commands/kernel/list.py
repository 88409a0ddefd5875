# SPDX-License-Identifier: MIT
"""`iopf kernel list`: the kernels that were built."""

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
        ("iopf kernel list", "name, version and source of each"),
        ("iopf kernel list --json | jq -r '.[].name'", "their names"),
    ),
)
@click.option("--json", "json_out", is_flag=True, help="One JSON list on standard output.")
def command(json_out: bool) -> int:
    """List the kernels in the cache."""
    from iopf.emulator.linux import cache

    found = cache.names()
    if json_out:
        click.echo(
            json.dumps([{"name": name, **record} for name, record in found.items()], indent=2)
        )
        return Status.OK
    for name, record in found.items():
        count = len(record["patches"])
        patched = f" + {count} patch{'es' if count > 1 else ''}" if count else ""
        echo(f"{name:<24}{record['version'] + patched:<28}{record['source']}")
    if not found:
        echo("no kernel was built; iopf kernel build --linux DIR builds one", err=True)
    return Status.OK
