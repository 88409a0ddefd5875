"""Files that a command writes: refused at once where that can be known, and one line where it fails at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click
from iopf.tools.cli.options import Option
from iopf.tools.status import Failed, Status


class OutputError(Failed):
    """A result could not be written; the text says where and why. Status 3, whatever the result was: nobody may take it as kept."""

    status = Status.MACHINE


def output_option(what: str) -> Option:
    """-o FILE: one that can be made or written over."""
    return click.option("-o", "--output", metavar="FILE", callback=_checked(_file), help=what)


def directory_option(default: str, what: str) -> Option:
    """-o DIR: made, with those above it, when there is something to put into it."""
    return click.option(
        "-o",
        "--output",
        metavar="DIR",
        default=default,
        callback=_checked(_directory),
        help=f"{what} (default {default}).",
    )


def written(path: Path, write: Callable[[], object]) -> None:
    """Calls `write`, which writes `path`, and says so. Raises OutputError."""
    try:
        write()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    click.echo(f"written: {path}", err=True)


def _checked(
    problem: Callable[[Path], str],
) -> Callable[[click.Context, click.Parameter, str | None], Path | None]:
    """A callback of click. `problem`: why a path cannot be written to, as far as is known before, or nothing; it may raise OSError."""

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
        return f"'{path}' is a directory; name a file in it"
    if not path.parent.is_dir():
        return f"there is no directory '{path.parent}'; make it first"
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return f"no permission to write '{path}'"
    return ""


def _directory(path: Path) -> str:
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not there.is_dir():
        return f"'{there}' is no directory"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"no permission to write into '{there}'"
    return ""
