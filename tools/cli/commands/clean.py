# SPDX-License-Identifier: MIT
"""`iopf clean`: remove the shared memory of killed runs."""

from __future__ import annotations

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option


@click.command(
    "clean",
    cls=Command,
    examples=(
        ("iopf clean --dry-run", "what would be removed"),
        ("iopf clean", "remove what no living emulator uses"),
    ),
)
@json_option
@click.option("-n", "--dry-run", is_flag=True, help="Only list what would be removed.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Also list what has such a name and is not ours."
)
def command(json_out: bool, dry_run: bool, verbose: bool) -> int:
    """Remove the shared memory of killed runs. Running emulators are not affected."""
    from iopf.tools.watch.clean import main

    return main(json_out, dry_run, verbose)
