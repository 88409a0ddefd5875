# SPDX-License-Identifier: MIT
"""The decision table of the page request engine of VT-d (spec rev 5.10, 7.4 to 7.6), as data: the first row that fits decides.

`Facts` is what the engine looks at. `decide` is the table alone, without the engine's code, so the two can be compared in every
combination of facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SUCCESS, INVALID = 0, 1  # response codes on the link


@dataclass(frozen=True, slots=True)
class Facts:
    """State of the unit and the function, and the message. `full`: no free record; `pending`: PPR is set."""

    gone: bool
    enabled: bool  # context entry PRE
    entry: Literal["absent", "present", "quiet"]
    overflowed: bool  # PRO is set
    full: bool
    pending: bool
    message: Literal["last", "other", "marker"]

    def conditions(self) -> frozenset[str]:
        """Names of the conditions that hold, as rows name them."""
        return frozenset(
            {
                *(["gone"] if self.gone else []),
                *([] if self.enabled else ["disabled"]),
                *([] if self.entry == "present" else [self.entry]),
                *(["overflowed"] if self.overflowed else []),
                *(["full"] if self.full else []),
            }
        )


@dataclass(frozen=True, slots=True)
class Row:
    """What happens to a message if one of the conditions holds; without conditions: always. `answer`: response code to a last request;
    any other is dropped without one."""

    name: str
    conditions: frozenset[str] = frozenset()
    answer: int | None = None
    writes: bool = False
    overflows: bool = False
    logs: bool = False  # a fault record, unless the entry aborts quietly


REQUEST = (
    Row("the function is gone", frozenset({"gone"})),
    Row("not set up", frozenset({"disabled", "absent", "quiet"}), INVALID, logs=True),
    Row("overflow pending", frozenset({"overflowed"}), SUCCESS),
    Row("queue full", frozenset({"full"}), SUCCESS, overflows=True),
    Row("written", writes=True),
)
# A stop marker needs no translation, and disappears where it cannot be queued.
MARKER = (
    Row("no room", frozenset({"gone", "overflowed", "full"})),
    Row("written", writes=True),
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is seen afterwards: the response code, records written, PPR and PRO, interrupts and fault records."""

    answer: int | None
    written: int
    pending: bool
    overflowed: bool
    interrupts: int
    faults: int


def row_of(facts: Facts) -> Row:
    """The first row that fits."""
    holding = facts.conditions()
    rows = MARKER if facts.message == "marker" else REQUEST
    return next(row for row in rows if not row.conditions or row.conditions & holding)


def decide(facts: Facts) -> Decision:
    """The outcome by the table. The interrupt is sent when a status bit is set and both were clear before."""
    row = row_of(facts)
    event = row.writes or row.overflows
    return Decision(
        answer=row.answer if facts.message == "last" else None,
        written=int(row.writes),
        pending=facts.pending or row.writes,
        overflowed=facts.overflowed or row.overflows,
        interrupts=int(event and not facts.pending and not facts.overflowed),
        faults=int(row.logs and facts.entry != "quiet"),
    )
