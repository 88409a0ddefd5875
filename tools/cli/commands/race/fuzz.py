# SPDX-License-Identifier: MIT
"""`iopf race fuzz`: random programs and random schedules."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import (
    json_option,
    kernel_option,
    memory_option,
    seconds_option,
    seed_option,
)
from iopf.tools.cli.output import directory_option, echo
from iopf.tools.cli.overrides import defect_option
from iopf.tools.status import Status

if TYPE_CHECKING:
    from pathlib import Path

    from iopf.tools.lab.search.fuzz import Campaign, Finding

_NEVER_SHOWN = 6


@click.command(
    "fuzz",
    cls=Command,
    examples=(
        ("iopf race fuzz --seconds 60 --kernel v7.2", "one minute on the newest kernel"),
        ("iopf race fuzz --kernel v5.13 --seed 7 -o found", "another kernel and output directory"),
        ("iopf race fuzz --defect remove-before-drain", "search with a historic bug enabled"),
    ),
)
@seconds_option(60, least=0.1)
@click.option("--programs", type=click.IntRange(1), metavar="N", help="Maximum number of programs.")
@kernel_option("Kernel version or generation (default: the newest).")
@seed_option()
@memory_option
@defect_option
@directory_option(".iopf-schedules/fuzz", "Directory for failing schedules")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    seconds: float,
    programs: int | None,
    kernel: str | None,
    seed: int,
    memory: str,
    defects: tuple[str, ...],
    output: Path,
    json_out: bool,
) -> int:
    """Draw programs within the contracts, run their schedules, and minimise failures.

    Programs that make a new hand-over (a word, the point before, the point after) are kept and mutated.
    Failures that the catalogue knows for the generation are counted only. Status 1: another failure.
    Status 0: no other failure.
    """
    from iopf.emulator.scenario.crosscheck import wrong_defect
    from iopf.emulator.spec.kernels import NEWEST
    from iopf.tools.lab.search.fuzz import Fuzzer

    generation = kernel or NEWEST
    for slug in defects:
        if text := wrong_defect(slug, generation):
            ctx.fail(text)
    fuzzer = Fuzzer(
        generation,
        seed,
        memory=memory,
        defects=defects,
        directory=output,
        tell=lambda line: echo(line, err=True),
    )
    campaign = fuzzer.campaign
    try:
        fuzzer.run(seconds, programs)
    finally:
        if json_out:
            click.echo(json.dumps(_document(campaign, memory)))
        else:
            _print(campaign, memory)
    return Status.FAILED if campaign.new else Status.OK


def _document(campaign: Campaign, memory: str) -> dict[str, Any]:
    from iopf.emulator.spec.sites import point_name

    return {
        "generation": campaign.generation,
        "seed": campaign.seed,
        "memory": memory,
        "programs": campaign.programs,
        "refused": campaign.refused,
        "schedules": campaign.schedules,
        "steps": campaign.steps,
        "seconds": campaign.seconds,
        "handovers": campaign.coverage.found,
        "growth": campaign.growth,
        "met": [[*pair, times] for pair, times in sorted(campaign.meetings.counts.items())],
        "never_met": [list(pair) for pair in campaign.meetings.never],
        "findings": [
            {
                "what": finding.what,
                "known": finding.known,
                "defects": finding.defects,
                "times": finding.times,
                "system": finding.system,
                "programs": finding.small.programs if finding.small else None,
                "preemptions": finding.small.failure.preemptions if finding.small else None,
                "file": str(finding.file) if finding.file else None,
            }
            for finding in campaign.findings.values()
        ],
        "covered": [
            [point_name(before), point_name(after), where, count]
            for before, after, where, count in campaign.coverage.handovers()
        ],
    }


def _print(campaign: Campaign, memory: str) -> None:
    echo(f"fuzz {campaign.generation}, seed {campaign.seed}, memory {memory}", bold=True)
    rate = campaign.schedules / campaign.seconds if campaign.seconds else 0.0
    echo(
        f"{campaign.programs:,} programs ({campaign.refused:,} more rejected as invalid), "
        f"{campaign.schedules:,} schedules in {campaign.seconds:.1f} s, {rate:,.0f} per second"
    )
    echo(f"{campaign.coverage.found:,} hand-overs{_half(campaign)}")
    _print_meetings(campaign)
    for finding in campaign.findings.values():
        _print_finding(finding)
    if not campaign.findings:
        echo("no failure")
    elif not campaign.new:
        echo("no failure besides those of the catalogue")
    if sys.stdout.isatty() and campaign.new:
        echo("iopf race replay FILE replays one, iopf race minimise FILE minimises it")


def _print_meetings(campaign: Campaign) -> None:
    """Pairs of operations that overlapped on a device, a tenant or a fault object; those that never did, if they fit."""
    never = [f"{one} + {other}" for one, other in campaign.meetings.never]
    possible = len(campaign.meetings.possible)
    echo(f"{possible - len(never)} of {possible} pairs of operations met on one object")
    shown = ", ".join(never[:_NEVER_SHOWN])
    more = len(never) - _NEVER_SHOWN
    if never:
        echo(f"  never: {shown}" + (f" and {more} more (--json has all)" if more > 0 else ""))


def _half(campaign: Campaign) -> str:
    """When half of the hand-overs and the last one were found: whether more time would help."""
    if not campaign.growth:
        return ""
    half = next(at for at, found in campaign.growth if 2 * found >= campaign.coverage.found)
    return (
        f", half of them after {half:.1f} s, the last new one after {campaign.growth[-1][0]:.1f} s"
    )


def _print_finding(finding: Finding) -> None:
    head = f"known as {finding.known}" if finding.known else "NEW"
    if finding.defects:
        head = f"only with {', '.join(finding.defects)}"
    echo()
    echo(f"{head}, {finding.times} program{'s'[: finding.times != 1]}: {finding.what[0]}")
    if finding.small is None:
        echo("  not reproduced while minimising")
        return
    echo(f"  {finding.system}")
    for number, program in enumerate(finding.small.programs):
        echo(f"  program {number}: {'; '.join(program)}")
    where = f"; {finding.file}" if finding.file else ""
    echo(
        f"  {finding.small.failure.preemptions} preemptions, {len(finding.small.failure.path)} steps{where}"
    )
