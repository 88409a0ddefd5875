# SPDX-License-Identifier: MIT
"""`iopf kernel build`: compile the fault path of a tree."""

from __future__ import annotations

import json

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option
from iopf.tools.cli.output import echo, quiet_option
from iopf.tools.status import Status


@click.command(
    "build",
    cls=Command,
    examples=(
        ("iopf kernel build --linux ~/src/linux", "named after its version"),
        (
            "iopf kernel build --linux linux-6.12.tar.xz --patch 0001-fix.patch --name fix",
            "patched",
        ),
        ("git format-patch --stdout master | iopf kernel build --linux . --patch -", "from a pipe"),
    ),
)
@click.option(
    "--linux",
    required=True,
    metavar="PATH",
    help="A source tree: a directory, a tarball, or Debian's linux-source .deb.",
)
@click.option(
    "--patch",
    "patches",
    multiple=True,
    metavar="FILE",
    help="A patch, mailbox or series directory, applied to a copy; - reads standard input. Repeatable.",
)
@click.option("--name", metavar="NAME", help="Its name; default: the version.")
@json_option
@quiet_option
def command(linux: str, patches: tuple[str, ...], name: str | None, json_out: bool) -> int:
    """Build the I/O page fault path of a Linux source tree.

    The result is kept in the user's cache by a hash of the files, so a second call is instant.
    The tree is only read. See `iopf help linux`.
    """
    from iopf.emulator.linux import building
    from iopf.tools.kernels import one_line, progress

    with one_line(), progress() as tell:
        built = building.build(linux, patches, name, tell)
    record, found = built.record, built.build
    functions = found["functions"]
    if json_out:
        whole = {"name": built.name, "hash": built.digest, "cached": built.hit, **record}
        click.echo(json.dumps({**whole, "missing": functions["missing"]}, indent=2))
        return Status.OK
    count = len(record["patches"])
    patched = f", {count} patch{'es' if count > 1 else ''}" if count else ""
    how = "cached" if built.hit else "built"
    echo(
        f"kernel {built.name}: Linux {record['version']}{patched}, "
        f"{len(found['sources'])} files, {how} in {built.seconds:.1f} s"
    )
    for patch in record["patches"]:
        for path in patch["left_out"]:
            echo(f"not built, so not patched: {path} ({patch['name']})", err=True)
    if functions["missing"]:
        echo(
            f"{len(functions['missing'])} functions are missing and end a run that calls them; "
            f"iopf kernel show {built.name} lists them",
            err=True,
        )
    return Status.OK
