# SPDX-License-Identifier: MIT
"""What `iopf top` shows, as lines that fit a terminal: columns and stages are dropped by rank, devices by age."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iopf.emulator.spec.text import counted, printable
from iopf.tools.supervisor.status_line import fitted, short, span

GAP = "  "
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. What has the highest rank is dropped first."""

    rank: int
    title: str
    cell: Callable[[Row], str]
    left: bool = False


DEVICES = (
    Column(0, "device", lambda r: str(r["name"]), left=True),
    Column(1, "state", lambda r: str(r["state"]), left=True),
    Column(2, "req/s", lambda r: short(r["rate"])),
    Column(4, "open", lambda r: f"{r['open']}/{r['credits']}"),
    Column(6, "groups", lambda r: str(r["groups"])),
    Column(7, "partial", lambda r: str(r["partial"])),
    Column(5, "pending", lambda r: str(r["pending"])),
    Column(9, "again", lambda r: short(r["retries"])),
    Column(8, "lost", lambda r: short(r["lost"])),
    Column(3, "oldest", lambda r: span(r["oldest_ns"])),
)
STAGES = (
    Column(0, "stage", lambda r: str(r["name"]), left=True),
    Column(1, "p50", lambda r: span(r["p50_ns"])),
    Column(2, "p99", lambda r: span(r["p99_ns"])),
    Column(3, "max", lambda r: span(r["max_ns"])),
    Column(4, "count", lambda r: short(r["count"])),
)
# The whole way first, then where its time goes; the rest in the order of the path.
STAGE_RANKS = ("round trip", "mm fault", "work queue", "hardware queue")
ORDERS: dict[str, Callable[[Row], Any]] = {
    "oldest": lambda r: -r["oldest_ns"],
    "rate": lambda r: -r["rate"],
    "name": lambda r: str(r["name"]),
}
HELP = (
    "q  quit; the last screen stays",
    "s  sort the devices by the age of their oldest request, by rate, by name",
    "?  this list",
    "",
    "open      requests without an answer, of the credits that the device has",
    "groups    page request groups that the device waits for",
    "partial   requests that the kernel keeps until the last of their group",
    "pending   groups that the kernel has and has not answered",
    "again     requests sent again after Success; lost: by overflow or discard",
    "oldest    age of the oldest request without an answer",
)


def table(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[str]:
    """The rows under their titles; no line is longer than ``width``."""
    texts = {c: [c.title, *(printable(c.cell(row)) for row in rows)] for c in columns}
    widths = {c: max(map(len, texts[c])) for c in columns}
    kept = list(columns)
    while len(kept) > 1 and sum(widths[c] + len(GAP) for c in kept) - len(GAP) > width:
        kept.remove(max(kept, key=lambda c: c.rank))
    return [
        GAP.join(
            text.ljust(widths[c]) if c.left else text.rjust(widths[c])
            for c, text in zip(kept, line, strict=True)
        ).rstrip()[:width]
        for line in zip(*(texts[c] for c in kept), strict=True)
    ]


def _head(s: Row, width: int) -> list[str]:
    i = s["iommu"]
    first = [
        (0, f"{printable(s['name'])}  phase {s['phase']}"),
        (1, f"{short(s['rate'])} requests/s"),
        (2, f"oldest open {span(s['oldest_ns'])}"),
    ]
    second = [
        (0, f"queue {i['prq_used']}/{i['prq_records']} (high {i['prq_hwm']})"),
        (3, f"overflows {i['overflows']}"),
        (4, f"PRO {i['pro']}"),
        (1, f"partial {s['partial']}"),
        (2, f"pending {s['pending']}"),
        (5, f"backlog {i['backlog']}"),
    ]
    return [fitted(first, width), fitted(second, width)]


def _stages(s: Row, most: int, width: int) -> list[str]:
    names = list(s["stages"])
    ranked = [name for name in STAGE_RANKS if name in names]
    ranked += [name for name in names if name not in ranked]
    shown = set(ranked[: max(most, 0)])
    rows = [{"name": name, **s["stages"][name]} for name in names if name in shown]
    return table(STAGES, rows, width) if rows else []


def _devices(s: Row, order: str, most: int, width: int) -> list[str]:
    rows = sorted(s["devices"], key=ORDERS[order])
    shown = rows if len(rows) <= most else rows[: max(most - 1, 1)]
    if order == "oldest":
        shown = sorted(shown, key=ORDERS["name"])
    lines = table(DEVICES, shown, width)
    if len(shown) < len(rows):
        lines.append(counted(len(rows) - len(shown), "more device")[:width])
    return lines


def footer(order: str, width: int) -> str:
    return fitted([(0, "q quit"), (1, f"s sort: {order}"), (2, "? help")], width)


def lines(
    s: Row, width: int, height: int, *, order: str = "oldest", keys: bool = True
) -> list[str]:
    """The screen: at most ``height`` lines of at most ``width`` characters. Devices get the room that the stages leave, and at least
    three lines."""
    bottom = ["", footer(order, width)] if keys else []
    head = _head(s, width)
    room = height - len(head) - len(bottom) - 2  # an empty line before each table
    wanted = len(s["devices"]) + 1
    stages = _stages(s, min(len(s["stages"]), room - min(wanted, max(4, room // 2)) - 1), width)
    devices = _devices(s, order, room - len(stages) - 1, width)
    body = ["", *devices, *(["", *stages] if stages else [])]
    return [*head, *body[: height - len(head) - len(bottom)], *bottom]


def help_lines(width: int, height: int) -> list[str]:
    return [line[:width] for line in HELP[: height - 1]]
