# SPDX-License-Identifier: MIT
"""`iopf run`: run and check one scenario or trace."""

from __future__ import annotations

from typing import Any

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.overrides import (
    complete_scenario,
    complete_trace,
    defect_option,
    output_options,
    replay_flags,
    set_option,
    to_flags,
)


@click.command(
    "run",
    cls=Command,
    examples=(
        ("iopf run overflow --prq 256", "a shipped scenario with a larger queue"),
        ("iopf run --trace sqlite-index --devices 4", "recorded faults of a real program"),
    ),
)
@click.argument("scenario", required=False, shell_complete=complete_scenario)
@click.option(
    "--trace",
    "traces",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_trace,
    help="Replay a trace: a shipped name, a path, or - for standard input; repeatable.",
)
@click.option("--devices", type=int, metavar="N", help="Number of devices.")
@click.option("--handlers", type=int, metavar="N", help="Number of fault handler processes.")
@click.option("--iommu", metavar="PROFILE", help="Hardware profile, like vtd.")
@click.option(
    "--kernel",
    metavar="VERSION",
    help="Kernel version or generation, like v6.12 (iopf help kernels).",
)
@click.option("--prq", type=int, metavar="N", help="Records in the page request queue.")
@click.option("--credits", type=int, metavar="N", help="Outstanding requests per device.")
@click.option("--group-limit", type=int, metavar="N", help="Maximum trace faults per group.")
@click.option("--groups-in-flight", type=int, metavar="N", help="Waiting groups per device.")
@click.option("--pattern", metavar="PATTERN", help="Workload of every device, like zipf.")
@click.option("--seed", type=int, metavar="N", help="Seed of every random stream.")
@click.option("--duration", type=float, metavar="S", help="Seconds to run; 0 = to the end.")
@click.option("--speed", metavar="X|max", help="Replay X times faster than recorded.")
@click.option("--noise", is_flag=True, help="Yield and sleep at random scheduling points.")
@click.option("--max-events", type=int, metavar="N", help="Refuse traces with more events.")
@click.option("--lenient", is_flag=True, help="Skip trace lines that cannot be read.")
@defect_option
@set_option
@output_options
def command(
    scenario: str | None,
    traces: tuple[str, ...],
    sets: tuple[str, ...],
    json_out: bool,
    status: str,
    run_dir: str | None,
    quiet: int,
    verbose: int,
    debug: bool,
    **options: Any,
) -> int:
    """Run a scenario (a shipped name or a TOML file) or traces, and check the result.

    Without either, run the defaults. The exit status is explained in iopf help exit-codes.
    """
    from iopf.emulator.scenario.resolution import resolve

    flags = {**replay_flags(traces, scenario), **to_flags(options)}
    resolved = resolve(scenario, sets, flags)
    # Imported after the scenario was checked, so that its errors are reported at once.
    from iopf.tools.supervisor.run import run_scenario

    return run_scenario(
        resolved, json_out=json_out, status=status, run_dir=run_dir, quiet=quiet - verbose
    )
