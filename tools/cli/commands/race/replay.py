"""`iopf race replay`: a schedule file, played again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from iopf.tools.cli.commands.race.common import table_width
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option, mode_option
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.races.schedule_file import ScheduleFile
    from iopf.tools.lab.play.replay import Replay
    from iopf.tools.lab.play.system import Lab


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

    Status 1: it fails as it did. Status 0: it does not fail, as after the code was mended; that the
    steps were others is said. Status 7: it cannot be played as written, and the step at which it
    diverges is named, or it fails by other steps than were written.
    """
    from iopf.emulator.races.schedule_file import ScheduleError, read
    from iopf.tools.lab.play.processes import processes_for
    from iopf.tools.lab.play.replay import lab_in, other_build, replay_constraints, replay_steps

    try:
        schedule = read(Path(file))
        with lab_in(schedule, Path(file)) as lab:
            with processes_for(lab, mode):
                if constraints:
                    played = replay_constraints(lab, schedule, Path(file))
                else:
                    played = replay_steps(lab, schedule)
            if json_out:
                click.echo(json.dumps(_document(played, mode, other_build(schedule))))
            else:
                _print(lab, played)
    except ScheduleError as error:
        ctx.fail(str(error))
    if not json_out:
        _comment(played, schedule)
    if played.diverged:
        return Status.UNTRUSTED
    return Status.FAILED if played.failure else Status.OK


def _document(played: Replay, mode: str, other: list[str]) -> dict[str, Any]:
    return {
        "failure": played.failure,
        "same_trace": played.same,
        "constraints_broken": played.broken if played.ordered else None,
        "diverged_at": played.steps if played.stuck else None,
        "other_build": other,
        "mode": mode,
    }


def _print(lab: Lab, played: Replay) -> None:
    from iopf.tools.lab.report.table import rows
    from iopf.tools.lab.report.where import Where

    for row in rows(lab.scheduler.trace, lab.names, Where(lab.plan.config), table_width()):
        click.echo(row)
    for line in played.failure:
        click.echo(line)
    if played.stuck:
        click.echo(f"diverged: {played.stuck}")


def _comment(played: Replay, schedule: ScheduleFile) -> None:
    """On standard error: how far this is the schedule that was written."""
    from iopf.tools.lab.play.replay import other_build

    other = other_build(schedule)
    if other:
        click.echo(f"written by a build with another {' and '.join(other)}", err=True)
    if played.ordered:
        count = len(schedule.constraints or [])
        text = f"{count} constraints, {played.broken} steps could not keep to them"
    elif played.same:
        text = "the same trace"
    else:
        text = "another trace than was written: the file was changed, or the code was"
        if schedule.constraints is not None:
            text += "; --constraints keeps to the switches alone"
    click.echo(text, err=True)
