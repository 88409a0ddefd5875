# SPDX-License-Identifier: MIT
"""Shared code of the race commands: finding entries and completing names."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem
from iopf.emulator.spec.text import counted, printable
from iopf.tools.cli.lazy import near
from iopf.tools.cli.output import echo, is_quiet
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.races.catalogue import Race
    from iopf.emulator.races.constraints import Constraint
    from iopf.tools.lab.play.system import Lab
    from iopf.tools.lab.play.target import Target


def complete_race(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from iopf.emulator.races.catalogue import catalogue

    found = catalogue().values()
    return [CompletionItem(r.slug, help=r.title) for r in found if r.slug.startswith(incomplete)]


race_argument = click.argument("name", shell_complete=complete_race)


def race_named(ctx: click.Context, name: str) -> Race:
    """Find the entry, or raise a usage error with the nearest slug."""
    from iopf.emulator.races.catalogue import catalogue, find

    race = find(name)
    if race is None:
        ctx.fail(f"no race '{name}'{near(name, list(catalogue()), 'see iopf race list')}")
    return race


def given(ctx: click.Context, name: str) -> bool:
    """Whether the option was given explicitly."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def complete_system(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete races and shipped scenarios; the shell completes files itself."""
    from iopf.tools.cli.overrides import complete_scenario

    return complete_race(ctx, param, incomplete) + complete_scenario(ctx, param, incomplete)


system_argument = click.argument("name", shell_complete=complete_system)


def a_race(ctx: click.Context, target: Target, option: str) -> Race:
    """The race of the target; a usage error for a scenario, which does not support this option."""
    from iopf.emulator.races.catalogue import catalogue

    if not target.race:
        ctx.fail(f"{option} needs a race; {target.name} is a scenario")
    return catalogue()[target.race]


def target_named(ctx: click.Context, name: str, *, defective: bool) -> Target:
    """A variant of the named race, or the reduced scenario; a usage error for neither. Raises ScenarioError."""
    from pathlib import Path

    from iopf.emulator.races.catalogue import catalogue, find
    from iopf.emulator.scenario.errors import did_you_mean
    from iopf.emulator.scenario.shipped import scenario_names
    from iopf.tools.lab.play.target import race_target, scenario_target

    race = find(name)
    if race is not None:
        return race_target(race, defective=defective)
    shipped = scenario_names()
    if name not in shipped and not ("/" in name or name.endswith(".toml") or Path(name).is_file()):
        hint = did_you_mean(name, [*catalogue(), *shipped]) or "; see iopf race list"
        ctx.fail(f"no race or scenario '{name}'{hint}")
    return scenario_target(name)


@contextlib.contextmanager
def tells_when_stopped(lab: Lab) -> Iterator[None]:
    """Print the progress on Ctrl-C and other ending signals."""
    try:
        yield
    except KeyboardInterrupt:
        progress("")
        echo(f"{counted(lab.scheduler.played, 'schedule')} run", err=True)
        raise


def table_width() -> int:
    """Width of a schedule's table. In a file or a pipe it does not depend on the machine."""
    from iopf.tools.lab.report.table import WIDTH

    return max(WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else WIDTH


full_option = click.option(
    "--full", is_flag=True, help="Print every step of the schedule instead of the table."
)


def schedule_lines(
    lab: Lab, *, full: bool, constraints: Sequence[Constraint] | None = None
) -> list[str]:
    """The schedule that ran last: every step, with marks for those of the constraints, or the table."""
    from iopf.tools.lab.report.steps import step_rows
    from iopf.tools.lab.report.table import rows
    from iopf.tools.lab.report.where import Where

    trace, where = lab.scheduler.trace, Where(lab.plan.config)
    if full:
        return list(step_rows(trace, lab.names, where, constraints or ()))
    return list(rows(trace, lab.names, where, table_width()))


def constraint_lines(constraints: Sequence[Constraint] | None, *, numbered: bool) -> list[str]:
    """The ordering constraints below a schedule. `numbered`: as the marks of its steps refer to them."""
    if not constraints:
        return []
    lines = ["", "minimal ordering constraints:"]
    for number, each in enumerate(constraints, 1):
        lines.append(f"{number:>6}  {each}" if numbered else f"    {each}")
    return lines


class _ProgressLine:
    """One line of a terminal, overwritten at most every `EVERY_S`; nothing elsewhere. An empty text removes it."""

    EVERY_S = 0.1

    def __init__(self) -> None:
        self._next_s, self._drawn = 0.0, False

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if (line and now < self._next_s) or not (line or self._drawn):
            return
        if is_quiet() or not sys.stderr.isatty():
            return
        self._next_s, self._drawn = now + self.EVERY_S if line else 0.0, bool(line)
        columns = shutil.get_terminal_size().columns
        click.echo(f"\r\033[K{printable(line)[: columns - 1]}", nl=False, err=True)


progress = _ProgressLine()


def assured(status: int, actors: list[str], memory: str) -> int:
    """The status of a search without a failure: inconclusive, with the reason on standard error, when it could not have seen one. `actors`:
    as `unreached` returns them. No lab may be open."""
    from iopf.tools.lab.search.instrument import doubt

    why = doubt(actors, memory) if status == Status.OK else ""
    if not why:
        return status
    echo(f"iopf: inconclusive: {why}", err=True)
    return Status.INCONCLUSIVE
