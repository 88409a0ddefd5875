# SPDX-License-Identifier: MIT
"""`iopf events`: the last events of every process of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from iopf.tools.cli.lazy import Command, near
from iopf.tools.cli.options import json_option
from iopf.tools.cli.output import echo
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.tools.watch.events import EventLog


@click.command(
    "events",
    cls=Command,
    examples=(
        ("iopf events", "the events of the newest run here, of all processes"),
        ("iopf events --device dev-00 --last 20", "the last answers to one device"),
    ),
)
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--actor",
    "actors",
    multiple=True,
    metavar="ACTOR",
    help="Only events of this actor; repeatable.",
)
@click.option("--device", metavar="DEVICE", help="Only events about this device, from any actor.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the last N events.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    run: Path | None,
    actors: tuple[str, ...],
    device: str | None,
    last: int | None,
    json_out: bool,
) -> int:
    """Print the recorded events of a run, by time: requests, answers, binds, overflows.

    RUN is the directory of a run, or a file; the newest run in iopf-runs otherwise. A run writes events when its verdict is not PASS, or
    with -v; each process keeps its last ones (system.event_records). Of a log that is cut the rest is printed, with status 2.
    """
    from iopf.tools.watch.events import chosen, find_log, read_log

    log = read_log(find_log(run))
    for name in actors:
        if name not in log.actors:
            ctx.fail(f"no actor '{name}'{near(name, log.actors)}")
    if device is not None and device not in log.devices:
        ctx.fail(f"no device '{device}'{near(device, log.devices)}")
    log.events = list(chosen(log, actors, device))
    if last is not None:
        log.events = log.events[-last:]
    if json_out:
        click.echo(json.dumps(log.document()))
    else:
        _print(log)
    if log.cut:
        echo(f"iopf: {log.path}: {log.cut}", err=True)
        return Status.USAGE
    return Status.OK


def _print(log: EventLog) -> None:
    echo(f"{log.path}: {len(log.events):,} events", err=True)
    for event in log.events:
        echo(event.line())
    if log.overwritten:
        gone = ", ".join(f"{count:,} of {name}" for name, count in log.overwritten.items())
        echo(f"overwritten before the end: {gone}", err=True)
