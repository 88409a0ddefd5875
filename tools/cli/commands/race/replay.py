# SPDX-License-Identifier: MIT
"""`iopf race replay`: replay a schedule file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from iopf.emulator.spec.text import counted, printable
from iopf.tools.cli.commands.race.common import constraint_lines, schedule_lines
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option, mode_option
from iopf.tools.cli.output import detail, echo, is_quiet, quiet_option, remark
from iopf.tools.cli.pager import page_lines
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.races.schedule_file import ScheduleFile
    from iopf.tools.lab.play.replay import Replay
    from iopf.tools.lab.play.system import Lab


@click.command(
    "replay",
    cls=Command,
    examples=(
        ("iopf race run 4.22 -o uaf.json; iopf race replay uaf.json", "find a schedule, replay it"),
        ("iopf race replay uaf.json --mode processes", "the same steps by real processes"),
        ("iopf race replay uaf.json --table", "the overview that iopf race run prints"),
    ),
)
@click.argument("file", type=click.Path(dir_okay=False))
@mode_option()
@click.option(
    "--constraints",
    is_flag=True,
    help="Keep only the ordering constraints, not every step: for another build.",
)
@click.option("--table", is_flag=True, help="Print the table instead of every step.")
@quiet_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, file: str, mode: str, constraints: bool, table: bool, json_out: bool
) -> int:
    """Replay the schedule of FILE and print it step by step: the same steps, the same failure.

    `!` marks a preemption; `<- before 1` and `after 1` are the steps of ordering constraint 1, which decide.

    Status 1: it fails in the same way. Status 0: it does not fail, for example in fixed code; other
    steps than recorded are reported. Status 7: it cannot be replayed as recorded, and the diverging
    step is named, or it fails along other steps.
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
                _print(lab, played, schedule, table=table)
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


def _print(lab: Lab, played: Replay, schedule: ScheduleFile, *, table: bool) -> None:
    from iopf.tools.lab.play.replay import constraints_in

    found = constraints_in(schedule)
    if is_quiet():
        detail(played.failure[1:], level=2)
        echo((played.failure or ["does not fail"])[0])
        return
    lines = schedule_lines(lab, full=not table, constraints=found)
    lines += constraint_lines(found, numbered=not table)
    lines += ["", *played.failure] if played.failure else []
    if played.stuck:
        lines.append(f"diverged: {played.stuck}")
    page_lines(map(printable, lines))


def _comment(played: Replay, schedule: ScheduleFile) -> None:
    """Print on standard error whether the replayed schedule is the recorded one."""
    from iopf.tools.lab.play.replay import other_build

    other = other_build(schedule)
    if other:
        remark(f"written by a build with another {' and '.join(other)}")
    if played.ordered:
        count = len(schedule.constraints or [])
        text = f"{counted(count, 'constraint')}, {counted(played.broken, 'step')} violated them"
    elif played.same:
        text = "trace identical"
    else:
        text = "trace differs: the file or the code has changed"
        if schedule.constraints is not None:
            text += "; --constraints keeps only the ordering constraints"
    remark(text)
