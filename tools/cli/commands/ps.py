# SPDX-License-Identifier: MIT
"""`iopf ps`: list the emulators on this machine."""

from __future__ import annotations

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option


@click.command(
    "ps",
    cls=Command,
    examples=(
        ("iopf ps", "running emulators and their processes"),
        ("iopf ps --json", "the same for a script"),
    ),
)
@json_option
def command(json_out: bool) -> int:
    """List running emulators, their processes and the time since their last progress."""
    from iopf.tools.watch.ps import main

    return main(json_out)
