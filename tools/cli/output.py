# SPDX-License-Identifier: MIT
"""Lines on standard output, and output files of commands: checked before the work where possible, and a one-line error at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from iopf.emulator.spec.text import printable
from iopf.tools.cli.options import QUIET, Option
from iopf.tools.status import Failed, Status

_QUIET = "iopf.quiet"  # in the context of the command: how often -q was given


def _set_quiet(ctx: click.Context, _param: click.Parameter, value: int) -> int:
    ctx.meta[_QUIET] = value
    return value


def _quiet() -> int:
    context = click.get_current_context(silent=True)
    return int(context.meta.get(_QUIET, 0)) if context is not None else 0


# For commands that print their result with `echo`, `detail` and `remark`.
quiet_option = click.option(
    "-q", "--quiet", count=True, expose_value=False, callback=_set_quiet, help=QUIET
)


def detail(lines: Iterable[str] = ("",), *, level: int = 1, bold: bool = False) -> None:
    """Lines of a result that -q leaves out; with level 2 only -qq does."""
    for line in lines if _quiet() < level else ():
        echo(line, bold=bold)


def remark(text: str) -> None:
    """A line on standard error that is neither result nor error."""
    if _quiet() < 1:
        echo(text, err=True)


def is_quiet() -> bool:
    return _quiet() > 0


def echo(text: str = "", *, err: bool = False, bold: bool = False, dim: bool = False) -> None:
    """Print one line. Every command prints lines with names from files or arguments this way."""
    shown = printable(text)
    click.echo(
        click.style(shown, bold=bold or None, dim=dim or None) if bold or dim else shown, err=err
    )


class OutputError(Failed):
    """A result could not be written; the text says where and why. Status 3 in every case, because the result is lost."""

    status = Status.MACHINE


def output_option(what: str) -> Option:
    """-o FILE: a file to create or overwrite."""
    return click.option("-o", "--output", metavar="FILE", callback=_checked(_file), help=what)


def directory_option(default: str, what: str) -> Option:
    """-o DIR: created with its parents when there is a file to write."""
    return click.option(
        "-o",
        "--output",
        metavar="DIR",
        default=default,
        callback=_checked(_directory),
        help=f"{what} (default {default}).",
    )


def written(path: Path, write: Callable[[], object]) -> None:
    """Call `write`, which writes `path`, and report it. Raises OutputError."""
    try:
        write()
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {error.strerror}") from error
    remark(f"written: {path}")


def _checked(
    problem: Callable[[Path], str],
) -> Callable[[click.Context, click.Parameter, str | None], Path | None]:
    """A click callback. `problem`: the reason why a path is not writable, as far as known, or empty; it may raise OSError."""

    def check(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Path | None:
        if value is None:
            return None
        if not value:
            raise click.BadParameter("expected a name")
        try:
            found = problem(Path(value))
        except OSError as error:
            found = f"'{value}': {error.strerror}"
        if found:
            raise click.BadParameter(found)
        return Path(value)

    return check


def _file(path: Path) -> str:
    if path.is_dir():
        return f"'{path}' is a directory; expected a file"
    if not path.parent.is_dir():
        return f"no directory '{path.parent}'; create it first"
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return f"no permission to write '{path}'"
    return ""


def _directory(path: Path) -> str:
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not there.is_dir():
        return f"'{there}' is not a directory"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"no permission to write in '{there}'"
    return ""
