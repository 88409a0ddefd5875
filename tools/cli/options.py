# SPDX-License-Identifier: MIT
"""Options shared by several commands: name, range, default, help.

A command with another meaning of an option defines its own. Only click is imported here, so help and completion are fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click
from iopf.emulator.spec.text import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


class Option(Protocol):
    """A decorator that keeps the type of the command."""

    def __call__(self, function: F, /) -> F: ...


SEED_MOST = 2**63
DAY_S = 86400

QUIET = "Less output; twice: only the verdict."

json_option = click.option(
    "--json", "json_out", is_flag=True, help="One JSON object on standard output."
)


class Seconds(click.FloatRange):
    """A time in seconds; rejects `nan`."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        made = super().convert(value, param, ctx)
        if math.isnan(made):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return float(made)


class KernelVersion(click.ParamType[str]):
    """A generation by name, or the one of a kernel version, which is then reported on stderr."""

    name = "kernel version"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from iopf.emulator.spec.kernels import generation_of

        try:
            generation, note = generation_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if note:
            click.echo(printable(note), err=True)
        return generation

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem
        from iopf.emulator.check.history import AGES

        found = AGES.items()
        return [CompletionItem(n, help=a.kernels) for n, a in found if n.startswith(incomplete)]


def kernel_option(help_text: str) -> Option:
    """--kernel, the generation of the fault path; the newest by default."""
    return click.option("--kernel", type=KernelVersion(), metavar="VERSION", help=help_text)


def seconds_option(
    default: float, *, least: float = 0.001, most: float = DAY_S, what: str = "Budget"
) -> Option:
    """--seconds, a budget."""
    return click.option(
        "--seconds",
        type=Seconds(least, most),
        default=default,
        metavar="S",
        help=f"{what} (default {default:g}).",
    )


def seed_option(default: int = 1, *, most: int = SEED_MOST, what: str = "Seed") -> Option:
    """--seed, for all random choices."""
    return click.option(
        "--seed",
        type=click.IntRange(0, most),
        default=default,
        metavar="N",
        help=f"{what} (default {default}).",
    )


memory_option = click.option(
    "--memory",
    type=click.Choice(["sc", "tso"]),
    default="tso",
    help="Memory model: sc, or tso with stores delayed as on x86 (default tso).",
)


def mode_option(
    *more: str, what: str = "Actors as fibers of one process, or as processes"
) -> Option:
    """--mode: how actors run; `more` are further ways to run the system."""
    return click.option(
        "--mode",
        type=click.Choice(["fibers", "processes", *more]),
        default="fibers",
        help=f"{what} (default fibers).",
    )
