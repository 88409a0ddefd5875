# SPDX-License-Identifier: MIT
"""`iopf race prove`: run all schedules, or all within a bound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from iopf.tools.cli.commands.race.common import (
    a_race,
    assured,
    full_option,
    progress,
    schedule_lines,
    system_argument,
    target_named,
)
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option, seconds_option
from iopf.tools.cli.output import detail, echo, quiet_option
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.tools.lab.search.prove import Proof

EXECUTIONS_MOST = 2**62


@click.command(
    "prove",
    cls=Command,
    examples=(
        ("iopf race prove bad-setup-silent", "all schedules of the fixed variant"),
        ("iopf race prove 4.22 --seconds 600", "a larger budget"),
        ("iopf race prove 4.22 --executions 50000", "the same result on every machine"),
        ("iopf race prove 4.22 --defective", "the number of preemptions it needs"),
        ("iopf race prove ./mine.toml", "a scenario file, reduced"),
    ),
)
@system_argument
@click.option("--defective", is_flag=True, help="The variant with the bug.")
@click.option(
    "--preemptions",
    type=click.IntRange(0, 8),
    default=2,
    metavar="N",
    help="Bound on preemptions if all schedules are too many (default 2).",
)
@click.option(
    "--delays",
    type=click.IntRange(0, 8),
    default=2,
    metavar="N",
    help="Bound on delays if all schedules are too many (default 2).",
)
@click.option(
    "--executions",
    type=click.IntRange(1, EXECUTIONS_MOST),
    metavar="N",
    help="Maximum number of executions before the bounds apply; the seconds then only end the proof.",
)
@seconds_option(60)
@full_option
@quiet_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    defective: bool,
    preemptions: int,
    delays: int,
    executions: int | None,
    seconds: float,
    full: bool,
    json_out: bool,
) -> int:
    """Run all schedules of a system, each order of dependent steps once.

    NAME is a race (its fixed variant) or a scenario (a shipped name or a TOML file, which is reduced).

    When the budget is too small, all schedules with few delays are run, then all without preemptions,
    with one, and so on (`iopf help races`). A proof holds under sequential consistency, for switches
    at the scheduling points. Status 0: no schedule fails, or none within one of the bounds, which
    the output says. Status 1: a schedule fails. Status 8: the budget ended before either bound,
    or the build finds no planted race either. Ctrl-C prints the progress.
    """
    from iopf.tools.lab.search.instrument import unreached
    from iopf.tools.lab.search.prove import Outcome, prove

    target = target_named(ctx, name, defective=defective)
    if defective:
        a_race(ctx, target, "--defective")
    table: list[str] = []
    with target.lab(memory="sc") as lab:
        proof = prove(
            lab,
            seconds=seconds,
            preemptions=preemptions,
            delays=delays,
            executions=executions,
            tell=progress,
        )
        progress("")
        actors = unreached(lab) if proof.executions else []
        if proof.failure is not None and not proof.stopped:
            lab.scheduler.replay(proof.failure.path)
            table = schedule_lines(lab, full=full)
    status = {
        Outcome.FAILED: Status.FAILED,
        Outcome.INCONCLUSIVE: Status.INCONCLUSIVE,
    }.get(proof.outcome, Status.OK)
    if json_out:
        document = {
            **target.document(),
            "memory": "sc",
            "outcome": proof.outcome,
            "executions": proof.executions,
            "complete": proof.complete,
            "bounded_schedules": proof.bounded,
            "delayed_schedules": proof.delayed,
            "complete_up_to_delays": proof.delays if proof.delays >= 0 else None,
            "timeouts_only_at_rest": proof.timed,
            "complete_up_to_preemptions": proof.preemptions if proof.preemptions >= 0 else None,
            "seconds": proof.seconds,
            "failure": proof.what,
            "failure_preemptions": proof.failure.preemptions if proof.failure else None,
        }
        click.echo(json.dumps(document))
    else:
        _print(target.title, proof, table)
    if proof.stopped:
        raise KeyboardInterrupt  # main.py sets the status from the signal
    return assured(status, actors, "sc")


def _print(title: str, proof: Proof, table: Sequence[str]) -> None:
    detail([title], level=2, bold=True)
    detail(proof.what, level=2)
    echo(f"{proof.verdict}; {proof.played}, in {proof.seconds:.1f} s; memory model sc")
    if table:
        detail(["", *table])
