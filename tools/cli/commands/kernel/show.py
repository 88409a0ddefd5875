# SPDX-License-Identifier: MIT
"""`iopf kernel show`: what a kernel was made of."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option
from iopf.tools.cli.output import echo
from iopf.tools.status import Status


@click.command(
    "show",
    cls=Command,
    examples=(
        ("iopf kernel show lts", "version, files, patches and functions"),
        ("iopf kernel show lts --json | jq -r '.functions.missing[]'", "what is missing"),
    ),
)
@click.argument("name")
@json_option
def command(name: str, json_out: bool) -> int:
    """Show version, files, patches and functions of a kernel."""
    from iopf.emulator.linux import cache
    from iopf.tools.kernels import one_line

    with one_line():
        record, build, folder = cache.look_up(name)
    if json_out:
        whole = {"name": name, **record, **build, "directory": str(folder)}
        click.echo(json.dumps(whole, indent=2))
        return Status.OK
    echo(f"{name}: Linux {record['version']}", bold=True)
    echo(f"  source     {record['source']}")
    echo(f"  build      {record['build']}")
    echo(f"  directory  {folder}")
    echo(f"  compiler   {build['compiler']}")
    for patch in record["patches"]:
        echo(f"  patch      {patch['name']}: {', '.join(patch['changed'])}")
        for path in patch["left_out"]:
            echo(f"             not built, so not patched: {path}")
    _names("files compiled", build["sources"])
    _names("files included", [each for each in build["files"] if each not in build["sources"]])
    functions = build["functions"]
    _names("the tree's: global functions and objects", functions["tree"])
    _names("ours: called by the tree, from the shim", functions["ours"])
    _names("missing: a call ends the run", functions["missing"])
    return Status.OK


def _names(heading: str, names: Sequence[str]) -> None:
    echo(f"{heading} ({len(names)})", bold=True)
    text = textwrap.wrap(" ".join(names), 96, break_long_words=False, break_on_hyphens=False)
    for line in text:
        echo(f"  {line}")
