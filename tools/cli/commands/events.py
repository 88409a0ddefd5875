# SPDX-License-Identifier: MIT
"""`iopf events`: the last events of a run, of all its processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from iopf.emulator.spec.text import printable
from iopf.tools.cli.lazy import Command, near
from iopf.tools.cli.options import json_option
from iopf.tools.cli.output import echo
from iopf.tools.cli.pager import page_lines
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.tools.watch.events import EventLog
    from iopf.tools.watch.requests import Fate

LAST = 50


@click.command(
    "events",
    cls=Command,
    examples=(
        ("iopf events", "the end of the newest run here, in all processes"),
        ("iopf events --request 7 --device dev-01", "what became of one request"),
        ("iopf events --all --actor irq", "all that the interrupt thread recorded"),
    ),
)
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--request",
    type=click.IntRange(0),
    metavar="N",
    help="Only events of this request, counted from 0 within its device, and its end.",
)
@click.option("--device", metavar="DEVICE", help="Only events about this device, from any actor.")
@click.option(
    "--actor",
    "actors",
    multiple=True,
    metavar="ACTOR",
    help="Only events recorded by this actor; repeatable.",
)
@click.option(
    "--last",
    type=click.IntRange(0),
    metavar="N",
    help=f"Only the last N events; 0 = all (default {LAST}; all with --request or --json).",
)
@click.option("--all", "everything", is_flag=True, help="All events, as --last 0.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    run: Path | None,
    request: int | None,
    device: str | None,
    actors: tuple[str, ...],
    last: int | None,
    everything: bool,
    json_out: bool,
) -> int:
    """Print the recorded events of a run by time: what happened to each request, in which process.

    RUN is the directory of a run, or a file; the newest run in iopf-runs otherwise. Each process keeps its last events
    (system.event_records), at the hardware one per request (system.events). Of a log that is cut the rest is printed, with status 2.

    On a terminal the lines go through $PAGER, or less.
    """
    from iopf.tools.watch.events import chosen, find_log, read_log
    from iopf.tools.watch.requests import about

    if everything and last:
        ctx.fail("--all and --last N exclude each other")
    log = read_log(find_log(run))
    for name in actors:
        if name not in log.actors:
            ctx.fail(f"no actor '{name}'{near(name, log.actors)}")
    if device is not None and device not in log.devices:
        ctx.fail(f"no device '{device}'{near(device, log.devices)}")
    fates: list[Fate] = []
    if request is not None:
        fates = _fates(log, request, device)
        if not fates:
            ctx.fail(_no_event(log, request, device))
        log.events = about(log.events, request, device)
        device = None
    log.events = list(chosen(log, actors, device))
    total = len(log.events)
    if last is None:
        last = 0 if everything or json_out or request is not None else LAST
    log.events = log.events[-last:]
    if json_out:
        click.echo(json.dumps(log.document(fates)))
    else:
        page_lines(_lines(log, fates))
        _comment(log, total)
    if log.cut:
        echo(f"iopf: {log.path}: {log.cut}", err=True)
        return Status.USAGE
    return Status.OK


def _fates(log: EventLog, request: int, device: str | None) -> list[Fate]:
    """What became of the request with this number, in each device that has events of it."""
    from iopf.tools.watch.requests import fate_of

    found = (d for d in log.devices if device in (None, d))
    return [
        fate_of(log.events, name, request)
        for name in found
        if any(event.device == name and request in event.requests for event in log.events)
    ]


def _no_event(log: EventLog, request: int, device: str | None) -> str:
    """Why the log does not have the request: from the numbers that it has."""
    of = device or "any device"
    numbers = [
        number
        for event in log.events
        if event.device and device in (None, event.device)
        for number in event.requests
    ]
    if not numbers:
        return f"no events of requests of {of}"
    text = f"no event of request {request} of {of}: the log has requests {min(numbers)} to {max(numbers)}"
    if request < min(numbers):
        text += "; earlier ones are overwritten: --set system.event_records=65536 keeps more"
    return text


def _lines(log: EventLog, fates: list[Fate]) -> Iterator[str]:
    for event in log.events:
        yield printable(event.line())
    for fate in fates:
        yield printable(fate.line())


def _comment(log: EventLog, total: int) -> None:
    """What standard output does not say, on standard error."""
    shown = len(log.events)
    which = f"{shown:,} events" if shown == total else f"the last {shown:,} of {total:,} events"
    which = "1 event" if (shown, total) == (1, 1) else which
    more = "" if shown == total else "; --all prints all"
    echo(f"{log.path}: {which}{more}", err=True)
    if log.overwritten:
        gone = ", ".join(f"{count:,} of {name}" for name, count in log.overwritten.items())
        echo(f"overwritten before the end: {gone}", err=True)
