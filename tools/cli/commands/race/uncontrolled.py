# SPDX-License-Identifier: MIT
"""`iopf race run` with --mode native or noise: ordinary, uncontrolled runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from iopf.emulator.spec.text import counted
from iopf.tools.cli.commands.race.common import given, progress
from iopf.tools.cli.output import detail, echo, remark
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.races.catalogue import Race
    from iopf.tools.lab.play.target import Target
    from iopf.tools.lab.search.search import Found

MODES = ("native", "noise")


def refuse_control(ctx: click.Context, mode: str) -> None:
    """Raise a usage error for options that need a recorded schedule."""
    written = [
        flag
        for name, flag in (("strategy", "--strategy"), ("memory", "--memory"), ("output", "-o"))
        if given(ctx, name)
    ]
    if written:
        ctx.fail(
            f"{', '.join(written)} cannot be combined with --mode {mode}: the order of steps is not controlled "
            "and no schedule is recorded; use --mode fibers or processes"
        )


def run_uncontrolled(
    race: Race,
    target: Target,
    *,
    seconds: float,
    most: int | None,
    seed: int,
    mode: str,
    json_out: bool,
) -> int:
    """Run the variant of the race until it fails or the budget ends, print the result, return the exit status.

    Raises ScenarioError, ArenaError."""
    from iopf.tools.lab.play.native import NATIVE, Stopped, search_native

    status, fixed = Status.OK, target.variant == "fixed"
    try:
        found = search_native(
            race,
            seed,
            seconds=seconds,
            noise=NATIVE[mode],
            defective=not fixed,
            most=most,
            tell=progress,
        )
        if found.what is not None:
            status = Status.FAILED
    except Stopped as stopped:
        assert stopped.found is not None
        found, status = stopped.found, stopped.status
    progress("")
    if json_out:
        click.echo(json.dumps(_document(target, seed, mode, found)))
    else:
        _print(f"{target.title}, {mode}", found, interrupted=status > Status.FAILED)
        _say_next(race.slug, fixed=fixed, found=found.what is not None)
    return status


def _document(target: Target, seed: int, mode: str, found: Found) -> dict[str, Any]:
    """The keys of the controlled modes; null where a key does not apply."""
    return {
        **target.document(),
        "seed": seed,
        "strategy": None,
        "mode": mode,
        "memory": None,
        "needs": None,
        "found": found.what is not None,
        "schedules": found.schedules,
        "seconds": found.seconds,
        "complete": False,
        "timeouts_only_at_rest": None,
        "steps": None,
        "failure": found.what or [],
        "preemptions": None,
        "constraints": None,
        "segments": None,
    }


def _print(title: str, found: Found, *, interrupted: bool) -> None:
    detail([title], level=2, bold=True)
    detail(found.what or [], level=2)
    word = "interrupted, not found in" if interrupted else "not found in"
    runs = counted(found.schedules, "run")
    echo(
        f"{'found after' if found.what else word} {runs} in {found.seconds:.2f} s, "
        f"{found.per_second:,.0f} per second"
    )


def _say_next(slug: str, *, fixed: bool, found: bool) -> None:
    search = f"iopf race run {slug}{' --fixed' if fixed else ''}"
    if found:
        text = f"{search} searches controlled schedules, which can be replayed"
    else:
        text = f"such runs may need thousands to hit a race, or never do; {search} searches controlled schedules"
    remark(f"no schedule is recorded: {text}")
