# SPDX-License-Identifier: MIT
"""`iopf top`: the counters of a running emulator, from another terminal."""

from __future__ import annotations

import click
from iopf.tools.cli.lazy import Command


@click.command(
    "top",
    cls=Command,
    examples=(
        ("iopf top", "watch the running emulator"),
        ("iopf top --once --json", "one reading for a script"),
    ),
)
@click.argument("system", required=False)
@click.option("--once", is_flag=True, help="Print one reading and exit.")
@click.option("--json", "json_out", is_flag=True, help="One JSON object per reading.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    metavar="S",
    help="Seconds between readings (default 1).",
)
def command(system: str | None, once: bool, json_out: bool, interval_s: float) -> int:
    """Watch the counters of a running emulator. SYSTEM is a name from iopf ps."""
    from iopf.tools.watch.top import main

    return main(system, once, json_out, interval_s)
