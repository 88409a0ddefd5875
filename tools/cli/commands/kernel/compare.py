# SPDX-License-Identifier: MIT
"""`iopf kernel compare`: the model against recorded results of the kernel's own text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from iopf.emulator.spec.text import counted
from iopf.tools.cli.commands.race.common import progress
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option
from iopf.tools.cli.output import detail, echo, quiet_option
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.check.golden import Compared, Difference
    from iopf.emulator.check.model.stepwise import Seen

_SHOWN = 12  # lines of the history before the one that differs


@click.command(
    "compare",
    cls=Command,
    examples=(
        ("iopf kernel compare --golden v6.9.jsonl.xz", "every recorded history in the model"),
        ("iopf kernel compare --golden a.jsonl --golden b.jsonl --json", "two files, as JSON"),
    ),
)
@click.option(
    "--golden",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    metavar="FILE",
    help="Recorded results (.jsonl or .jsonl.xz); can be repeated.",
)
@quiet_option
@json_option
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...], json_out: bool) -> int:
    """Compare the sequential model with recorded results of the kernel's own text.

    Each history of FILE runs line by line in the model of its generation: what a line returns, the
    answers in order, the pages that were faulted in. Prints how many histories differ, in which
    operation, and the shortest that does. Status 1: some differ. Status 0: none.
    """
    from iopf.emulator.check.golden import Compared, GoldenError, checked_compare, histories

    found: dict[str, Compared] = {}
    done = 0
    try:
        for path in files:
            for number, history in enumerate(histories(path), 1):
                found.setdefault(history.gen, Compared()).add(
                    checked_compare(history, f"{path}:{number}")
                )
                done += 1
                progress(f"{counted(done, 'history', 'histories')} compared")
    except GoldenError as error:
        progress("")
        ctx.fail(str(error))
    progress("")
    if json_out:
        click.echo(json.dumps(_document(found), indent=2))
    else:
        _print(found)
    return Status.FAILED if any(each.differing for each in found.values()) else Status.OK


def _document(found: dict[str, Compared]) -> dict[str, Any]:
    from iopf.emulator.check.golden import shown

    return {
        generation: {
            "histories": compared.histories,
            "differ": compared.differing,
            "kinds": dict(compared.kinds.most_common()),
            "first": {
                kind: {
                    "seed": first.history.seed,
                    "program": first.history.lines[: first.at + 1],
                    "recorded": shown(first.recorded),
                    "model": shown(first.model),
                }
                for kind, first in compared.first.items()
            },
        }
        for generation, compared in found.items()
    }


def _print(found: dict[str, Compared]) -> None:
    for generation, compared in found.items():
        every = counted(compared.histories, "history", "histories")
        echo(f"{generation}: {every}, {compared.differing:,} differ")
        detail([f"  {times:6,}  {kind}" for kind, times in compared.kinds.most_common()])
    firsts = [first for compared in found.values() for first in compared.first.values()]
    if firsts:
        _print_first(min(firsts, key=lambda each: each.at))


def _print_first(first: Difference) -> None:
    history = first.history
    lines = history.lines[: first.at + 1]
    left_out = max(len(lines) - _SHOWN - 1, 0)
    echo("")
    echo(f"the shortest, {history.gen}, seed {history.seed}:")
    if left_out:
        detail([f"  ... {counted(left_out, 'line')} (--json has all)"], level=2)
    detail([f"  {line}" for line in lines[left_out:]])
    echo(f"  kernel   {_told(first.recorded)}")
    echo(f"  model    {_told(first.model)}")


def _told(seen: Seen) -> str:
    answers = [
        f"d{device} pasid={'none' if pasid is None else pasid} prgi={prgi} code={code}"
        f"{'' if last else ' not last'}"
        for device, pasid, prgi, code, last in seen.answers
    ]
    pages = [f"t{tenant}/{page}" for tenant, page in seen.handled]
    parts = [f"returns {seen.result}"]
    if answers:
        parts.append(f"answers {', '.join(answers)}")
    if pages:
        parts.append(f"pages {' '.join(pages)}")
    return "; ".join(parts)
