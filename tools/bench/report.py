# SPDX-License-Identifier: MIT
"""Tables on standard output, at most 100 columns wide: with rich on a terminal, plain elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from iopf.tools.bench.harness import Table

WIDTH = 100


def rate(value: float | None) -> str:
    """A rate per second with three digits: 11.2 M, 345 k."""
    if value is None:
        return "-"
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return (
                f"{value / size:.3g} {unit}"
                if value < 1000 * size
                else f"{value / size:.0f} {unit}"
            )
    return f"{value:.3g}"


def times(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}x" if value < 10 else f"{value:.1f}x" if value < 100 else f"{value:.0f}x"


def duration(value_ns: float | None) -> str:
    """Nanoseconds in a readable unit."""
    if value_ns is None:
        return "-"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if value_ns >= size:
            return f"{value_ns / size:.3g} {unit}"
    return f"{value_ns:.3g} ns"


def number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}g}"


def size(value_bytes: float | None) -> str:
    if value_bytes is None:
        return "-"
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value_bytes >= scale:
            return f"{value_bytes / scale:.3g} {unit}"
    return f"{value_bytes:.0f} B"


def show(tables: Sequence[Table]) -> None:
    for table in tables:
        if sys.stdout.isatty():
            _show_rich(table)
        else:
            print("\n".join(plain(table)), flush=True)


def plain(table: Table) -> list[str]:
    """The lines of a table, no wider than WIDTH."""
    rows = [table.columns, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    spare = WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = max(8, min(widths[0], spare))
    lines = [table.title[:WIDTH]]
    for row in rows:
        cells = [row[0][: widths[0]].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip()[:WIDTH])
    lines.insert(2, "-" * min(WIDTH, sum(widths) + 2 * (len(widths) - 1)))
    return [*lines, *(note[:WIDTH] for note in table.notes), ""]


def _show_rich(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    console = Console(width=min(WIDTH, Console().width))
    drawn = RichTable(title=table.title, title_justify="left")
    for index, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if index == 0 else "right")
    for row in table.rows:
        drawn.add_row(*row)
    console.print(drawn)
    for note in table.notes:
        console.print(note, highlight=False)
