# SPDX-License-Identifier: MIT
"""`iopf race fuzz`: random programs and random schedules."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click
from iopf.emulator.spec.text import counted
from iopf.tools.cli.commands.race.common import assured, progress
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import (
    json_option,
    kernel_option,
    memory_option,
    seconds_option,
    seed_option,
)
from iopf.tools.cli.output import detail, directory_option, echo, quiet_option, remark
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
@quiet_option
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
    Status 0: no other failure. Status 3: none, but a schedule could not be saved.
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
        tell=_tell,
        show=progress,
    )
    campaign = fuzzer.campaign
    try:
        fuzzer.run(seconds, programs)
    finally:
        progress("")
        if json_out:
            click.echo(json.dumps(_document(campaign, memory)))
        else:
            _print(campaign, memory)
    if campaign.unwritten:
        echo(f"iopf: {campaign.unwritten}", err=True)
    if campaign.new:
        return Status.FAILED
    if campaign.unwritten:
        return Status.MACHINE
    return assured(Status.OK, [], memory)


def _tell(line: str) -> None:
    progress("")
    remark(line)


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
    title = f"fuzz {campaign.generation}, seed {campaign.seed}, memory {memory}"
    detail([title], level=2, bold=True)
    rate = campaign.schedules / campaign.seconds if campaign.seconds else 0.0
    echo(
        f"{counted(campaign.programs, 'program')} ({campaign.refused:,} more rejected as invalid), "
        f"{counted(campaign.schedules, 'schedule')} in {campaign.seconds:.1f} s, {rate:,.0f} per second"
    )
    detail([f"{counted(campaign.coverage.found, 'hand-over')}{_half(campaign)}"], level=2)
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
    """Pairs of operations that overlapped on a device, a tenant or a fault object; the first of those that never did."""
    never = [f"{one} + {other}" for one, other in campaign.meetings.never]
    possible = len(campaign.meetings.possible)
    met = f"{possible - len(never)} of {counted(possible, 'pair')} of operations met on one object"
    detail([met], level=2)
    if never:
        more = len(never) - _NEVER_SHOWN
        rest = f" and {more} more (--json has all)" if more > 0 else ""
        detail([f"  never: {', '.join(never[:_NEVER_SHOWN])}{rest}"])


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
    detail()
    detail([f"{head}, {counted(finding.times, 'program')}: {finding.what[0]}"], level=2)
    if finding.small is None:
        detail(["  not reproduced while minimising"])
        return
    detail([f"  {finding.system}"])
    detail(
        f"  program {number}: {'; '.join(program)}"
        for number, program in enumerate(finding.small.programs)
    )
    where = f"; {finding.file}" if finding.file else ""
    failure = finding.small.failure
    size = f"{counted(failure.preemptions, 'preemption')}, {counted(len(failure.path), 'step')}"
    detail([f"  {size}{where}"], level=2)
