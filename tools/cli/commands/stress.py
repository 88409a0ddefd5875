# SPDX-License-Identifier: MIT
"""`iopf stress`: random programs on many devices, checked."""

from __future__ import annotations

import time
from typing import Any

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import kernel_option
from iopf.tools.cli.overrides import defect_option, output_options, set_option, to_flags


@click.command(
    "stress",
    cls=Command,
    examples=(
        ("iopf stress --seconds 10 --noise", "the newest kernel under all stressors"),
        ("iopf stress --kernel v6.14 --mix remove=20,exec=0", "more hot unplug, no exec"),
    ),
)
@click.option(
    "--devices",
    type=click.IntRange(1, 256),
    default=64,
    metavar="N",
    help="Number of devices (default 64).",
)
@click.option(
    "--handlers", type=int, metavar="N", help="Fault handler processes (default: drawn, or 8)."
)
@click.option(
    "--seconds",
    "duration",
    type=float,
    default=60.0,
    metavar="S",
    help="Duration (default 60).",
)
@kernel_option("Kernel version or generation (default: the newest).")
@click.option("--noise", is_flag=True, help="Yield and sleep at random scheduling points.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Seed of programs and choices.")
@click.option("--mix", metavar="OP=WEIGHT,...", help="Weights of operations: iopf help stress.")
@click.option(
    "--vary/--no-vary",
    default=True,
    help="Draw IOMMUs, queues, options and so on from the seed (default), or use the defaults.",
)
@click.option("--strict", is_flag=True, help="Fail on known violations of the generation.")
@defect_option
@set_option
@output_options
def command(
    devices: int,
    kernel: str | None,
    seed: int | None,
    mix: str | None,
    vary: bool,
    strict: bool,
    sets: tuple[str, ...],
    json_out: bool,
    status: str,
    run_dir: str | None,
    quiet: int,
    verbose: int,
    debug: bool,
    **options: Any,
) -> int:
    """Run random programs on many devices: groups, overflow, bind and unbind, exec, exit, replace, hot unplug, slow and failing
    memory, failed allocations. Checks are those of iopf run.

    Known violations of the generation are counted and do not fail the run without --strict. The run directory has the scenario, which
    iopf run can run again.
    """
    from iopf.emulator.spec.kernels import NEWEST
    from iopf.tools.stress.mix import parse_mix
    from iopf.tools.stress.run import configuration_of, resolve_stress

    weights = parse_mix(mix)
    flags = to_flags(options)
    drawn = time.time_ns() % 1_000_000 if seed is None else seed
    generation = kernel or NEWEST
    resolved = resolve_stress(
        devices,
        generation,
        drawn,
        weights,
        strict=strict,
        configuration=configuration_of(devices, generation, drawn) if vary else None,
        sets=sets,
        flags=flags,
    )
    from iopf.tools.stress.report import render_stress
    from iopf.tools.supervisor.run import run_scenario

    return run_scenario(
        resolved,
        json_out=json_out,
        status=status,
        run_dir=run_dir,
        quiet=quiet - verbose,
        render=render_stress,
    )
