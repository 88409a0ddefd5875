# SPDX-License-Identifier: MIT
"""`iopf demo`: a first run without options."""

from __future__ import annotations

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import QUIET, json_option
from iopf.tools.cli.overrides import Flags, replay_flags

TRACE = "sqlite-index"
DEVICES = 4
HANDLERS = 2


def demo_flags() -> Flags:
    """The values of the demo; the rest has its defaults."""
    return {
        **replay_flags((TRACE,), None),
        "system.name": ("demo", "demo"),
        "device.count": (DEVICES, "demo"),
        "kernel.handlers": (HANDLERS, "demo"),
    }


@click.command(
    "demo",
    cls=Command,
    examples=(
        ("iopf demo", "four devices replay the page faults of a database"),
        ("iopf demo --json", "the same, with the result as JSON"),
    ),
)
@json_option
@click.option("-q", "--quiet", count=True, help=QUIET)
def command(json_out: bool, quiet: int) -> int:
    """Replay a recorded trace (sqlite building an index) on four devices and two handlers."""
    from iopf.emulator.scenario.resolution import resolve

    resolved = resolve(None, (), demo_flags())
    from iopf.tools.supervisor.run import run_scenario

    return run_scenario(resolved, json_out=json_out, status="auto", run_dir=None, quiet=quiet)
