# SPDX-License-Identifier: MIT
"""`iopf kernel remove`: remove a kernel from the cache."""

from __future__ import annotations

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.output import echo, quiet_option
from iopf.tools.status import Status


@click.command(
    "remove",
    cls=Command,
    examples=(("iopf kernel remove lts", "the name, and its build unless another name has it"),),
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@quiet_option
def command(names: tuple[str, ...]) -> int:
    """Remove kernels. The trees they were built from are not touched."""
    from iopf.emulator.linux import cache
    from iopf.tools.cli.output import is_quiet
    from iopf.tools.kernels import one_line

    with one_line():
        for name in names:
            gone = cache.remove(name)
            if not is_quiet():
                echo(f"removed: {name}" + ("" if gone else " (its build has another name)"))
    return Status.OK
