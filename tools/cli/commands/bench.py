# SPDX-License-Identifier: MIT
"""`iopf bench`: performance of this machine, compared with other queues."""

from __future__ import annotations

from pathlib import Path

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option
from iopf.tools.cli.output import output_option, quiet_option


@click.command(
    "bench",
    cls=Command,
    examples=(
        ("iopf bench --quick", "a rough result in a few seconds"),
        ("iopf bench --repeat 5 -o bench.json", "numbers to keep"),
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME...]")
@quiet_option
@json_option
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=3,
    metavar="N",
    help="Repetitions; the median is reported (default 3).",
)
@click.option("--quick", is_flag=True, help="Short, less accurate measurements.")
@output_option("Also write the JSON to a file.")
def command(
    names: tuple[str, ...], json_out: bool, repeat: int, quick: bool, output: Path | None
) -> int:
    """Measure this emulator, and compare it with other queues where they are installed.

    Without NAME all run, one after the other.

    \b
    queue     records a second through the queue, against os.pipe, pyzmq, iceoryx2 ...
    path      the whole fault path, against the same path in plain Python
    kernel    the options that reviewers asked for (kernel.options)
    proposal  the flow proposed in November 2023 against the newest kernel
    waiting   system calls per request, and processors kept busy by waiting
    size      memory by number of devices
    growth    cost by number of devices, open groups and memory areas
    start     time to start a system
    """
    from iopf.tools.bench.main import main

    return main(list(names), json_out, repeat, quick, output)
