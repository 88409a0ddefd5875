# SPDX-License-Identifier: MIT
"""`iopf kernel test`: life cycles of the fault path under random schedules."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import SEED_MOST, json_option
from iopf.tools.cli.output import detail, echo, quiet_option
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.linux.exploring import Explored, Finding

_SHOWN = 6  # frames of a place


@click.command(
    "test",
    cls=Command,
    examples=(
        ("iopf kernel test lts", "every program, 20000 schedules each"),
        ("iopf kernel test lts --program exit --seed 7 --schedules 1", "one schedule again"),
        ("iopf kernel test lts --fail-in 20", "one in 20 allocations fails"),
    ),
)
@click.argument("name")
@click.option(
    "--program", "programs", multiple=True, metavar="PROGRAM", help="Only this one. Repeatable."
)
@click.option(
    "--schedules",
    type=click.IntRange(1, 10**9),
    default=20000,
    help="Of each program (default 20000).",
)
@click.option(
    "--seed",
    type=click.IntRange(0, SEED_MOST),
    default=1,
    help="Of the first schedule (default 1).",
)
@click.option(
    "--switch-in",
    type=click.IntRange(1, 10**6),
    default=8,
    help="Accesses for each hand-over, on average (default 8).",
)
@click.option(
    "--fail-in",
    type=click.IntRange(0, 10**6),
    default=0,
    help="One in N allocations fails (default: none).",
)
@click.option(
    "--continue-after-warn", is_flag=True, help="Count WARN_ON instead of ending the schedule."
)
@json_option
@quiet_option
def command(
    name: str,
    programs: tuple[str, ...],
    schedules: int,
    seed: int,
    switch_in: int,
    fail_in: int,
    continue_after_warn: bool,
    json_out: bool,
) -> int:
    """Explore a kernel's fault path under random schedules.

    An IOMMU driver of ours around the tree's files binds, reports page requests and unbinds. Every
    access to memory may hand over to another actor. Status 1: a finding, with a seed that repeats it.
    Programs and findings: `iopf help linux`.
    """
    from iopf.emulator.linux import cache, exploring
    from iopf.tools.cli.lazy import near
    from iopf.tools.kernels import KernelUnsupportedError, one_line

    for each in programs:
        if each not in exploring.PROGRAMS:
            raise click.UsageError(f"no program '{each}'{near(each, list(exploring.PROGRAMS))}")
    found: list[Explored] = []
    with one_line():
        record, build, folder = cache.look_up(name)
        if "TREE_ATTACH_HANDLE" not in build["features"]:
            raise KernelUnsupportedError(
                f"kernel {name}: Linux {record['version']} is built, not run; from 6.11 they run"
            )
        for program in programs or exploring.PROGRAMS:
            explored = exploring.explore(
                folder,
                program,
                schedules,
                seed,
                switch_in=switch_in,
                fail_in=fail_in,
                warnings_continue=continue_after_warn,
            )
            found.append(explored)
            if explored.finding and not json_out:
                options = f"--program {program} --seed {explored.finding.seed} --schedules 1"
                options += f" --switch-in {switch_in}" if switch_in != 8 else ""
                options += f" --fail-in {fail_in}" if fail_in else ""
                options += " --continue-after-warn" if continue_after_warn else ""
                detail(_described(explored.finding))
                detail([f"  repeat: iopf kernel test {name} {options}", ""])
    status = _status([each.finding for each in found if each.finding])
    if json_out:
        whole = {"name": name, "status": int(status), "programs": [asdict(each) for each in found]}
        click.echo(json.dumps(whole, indent=2))
        return status
    echo(_verdict(name, record["version"], found))
    return status


def _described(finding: Finding) -> list[str]:
    lines = [f"{finding.kind}: {finding.text}"]
    for place in finding.places:
        head = f"  {place.what} {'' if place.what == 'by' else 'by '}{place.actor}"
        for frame in place.frames[:_SHOWN] or [""]:
            lines.append(f"{head:<28}{frame}".rstrip())
            head = ""
    return lines


def _status(findings: list[Finding]) -> Status:
    from iopf.emulator.linux.exploring import MISSING

    if not findings:
        return Status.OK
    return Status.UNSUPPORTED if all(f.kind == MISSING for f in findings) else Status.FAILED


def _verdict(name: str, version: str, found: list[Explored]) -> str:
    """The last line."""
    schedules, cpu_s = sum(each.schedules for each in found), sum(each.cpu_s for each in found)
    kinds = [f"{each.finding.kind} in {each.program}" for each in found if each.finding]
    rate = f", {schedules / cpu_s:.0f} per CPU second" if cpu_s > 0.1 else ""
    warnings = sum(each.warnings for each in found)
    what = ", ".join(kinds) if kinds else "no finding"
    what += f", {warnings} warnings" if warnings else ""
    return f"kernel {name}: Linux {version}, {schedules} schedules of {len(found)} programs{rate}: {what}"
