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
        ("iopf ps", "running emulators: how many processes, how long without progress"),
        ("iopf ps --processes", "each process: role, pid, and where it is"),
        ("iopf ps --json", "the same for a script"),
    ),
)
@click.option("-p", "--processes", is_flag=True, help="Also list the processes of each emulator.")
@json_option
def command(processes: bool, json_out: bool) -> int:
    """List running emulators, the number of their processes and the time since their last progress.

    IDLE is the time since the last event of any process (system.events). In state search, iopf race or pytest runs schedules under
    control; such a search prints its own progress. Dead systems are those of killed runs: iopf clean removes them.
    """
    from iopf.tools.watch.ps import main

    return main(json_out, processes)
