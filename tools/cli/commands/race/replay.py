"""`iopf race replay`: a schedule file, played again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tools.cli.lazy import Command
from tools.cli.options import json_option, mode_option
from tools.cli.status import Status


@click.command(
    "replay",
    cls=Command,
    examples=(
        ("iopf race run 4.22 -o uaf.json; iopf race replay uaf.json", "find one, play it again"),
        ("iopf race replay uaf.json --mode processes", "the same steps by real processes"),
    ),
)
@click.argument("file", type=click.Path(dir_okay=False))
@mode_option()
@click.option(
    "--constraints",
    is_flag=True,
    help="Keep to the switches that it takes instead of every step: for another build.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, file: str, mode: str, constraints: bool, json_out: bool) -> int:
    """Play the schedule of FILE again: the same steps, the same failure.

    Status 1: it fails as it did. Status 0: it does not fail. Status 7: it cannot be played as written;
    the step at which it diverges is named.
    """
    from contextlib import nullcontext

    from emulator.sched.judge import Bug
    from emulator.sched.schedule_file import ScheduleError, build_id, points_id, read
    from emulator.spec.sites import point_name
    from tools.lab.players import Players
    from tools.lab.races import lab_in, path_in, play_constraints_in
    from tools.lab.search import what
    from tools.lab.table import rows
    from tools.lab.where import Where

    try:
        schedule = read(Path(file))
        if constraints and schedule.constraints is None:
            ctx.fail(f"{file}: it has no constraints: its switches alone do not make it fail")
        with lab_in(schedule, Path(file)) as lab:
            path = path_in(schedule, lab, Path(file))
            broken = 0
            with Players(lab) if mode == "processes" else nullcontext():
                if constraints:
                    bug, broken = play_constraints_in(lab, schedule, Path(file))
                else:
                    bug = Bug(lab.conductor.replay(path))
            steps, same = (
                lab.conductor.trace,
                f"{lab.conductor.trace_hash:016x}" == schedule.trace_hash,
            )
            failure = what(lab, bug) if bug not in (Bug.BUG_NONE, Bug.BUG_DIVERGED) else []
            names, config = lab.names, lab.plan.config
    except ScheduleError as error:
        ctx.fail(str(error))
    other = [
        name
        for name, mine, theirs in (
            ("layout", build_id(), schedule.build),
            ("scheduling points", points_id(), schedule.points),
        )
        if mine != theirs
    ]
    same = same or (constraints and not broken)
    diverged = bug == Bug.BUG_DIVERGED or broken > 0 or (not same and bool(failure))
    if json_out:
        click.echo(
            json.dumps(
                {
                    "failure": failure,
                    "same_trace": same,
                    "diverged_at": len(steps) if bug == Bug.BUG_DIVERGED else None,
                    "other_build": other,
                    "mode": mode,
                }
            )
        )
    else:
        for row in rows(steps, names, Where(config)):
            click.echo(row)
        for line in failure:
            click.echo(line)
        if other:
            click.echo(f"written by a build with another {' and '.join(other)}", err=True)
        if bug == Bug.BUG_DIVERGED:
            last = (
                f"; the step before is {names[steps[-1][0]]} at {point_name(steps[-1][1])}"
                if steps
                else ""
            )
            click.echo(
                f"diverged: {names[path[len(steps)]]} cannot make step {len(steps) + 1} of {len(path)}{last}"
            )
        if constraints:
            count = len(schedule.constraints or [])
            click.echo(f"{count} constraints, {broken} steps could not keep to them", err=True)
        else:
            changed = "another trace than was written: the file was changed, or the code was"
            click.echo("the same trace" if same else changed, err=True)
    if diverged:
        return Status.UNTRUSTED
    return Status.FAILED if failure else Status.OK
