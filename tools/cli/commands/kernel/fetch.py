# SPDX-License-Identifier: MIT
"""`iopf kernel fetch`: a source tree with the package manager."""

from __future__ import annotations

from pathlib import Path

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.output import directory_option, echo, remark
from iopf.tools.status import Status


@click.command(
    "fetch",
    cls=Command,
    examples=(
        ("iopf kernel fetch 6.12", "apt-get download linux-source-6.12"),
        ("iopf kernel build --linux $(iopf kernel fetch 6.12) --name lts", "and build it"),
    ),
)
@click.argument("version")
@directory_option(".", "Directory of the package")
def command(version: str, output: Path) -> int:
    """Get a Linux source tree, 140 to 170 MB, with apt-get; its path is printed.

    Nothing is installed and no privileges are needed. Without apt-get, or when its sources lack the
    version, one line says what to do.
    """
    from iopf.emulator.linux import fetching
    from iopf.tools.kernels import one_line

    with one_line():
        package = fetching.package_of(version)
        remark(f"apt-get download {package}")
        output.mkdir(parents=True, exist_ok=True)
        found = fetching.fetch(version, output)
    echo(str(found))
    return Status.OK
