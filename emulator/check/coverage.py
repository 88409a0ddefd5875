# SPDX-License-Identifier: MIT
"""Cells of the fate table reached by a run, and the known violations that it has shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iopf.emulator.board.ledger import Event, KernelWarning
from iopf.emulator.check.fates import EVENTS, Cell, Fate, cell
from iopf.emulator.check.violations import KNOWN

# Rows that processes count as events; the others are sums of kernel counters.
_COUNTED: dict[str, Event] = {
    "no-param": Event.EVENT_NO_PARAM,
    "wrong-type": Event.EVENT_WRONG_TYPE,
    "partial-nomem": Event.EVENT_PARTIAL_NOMEM,
    "partial-no-handler": Event.EVENT_PARTIAL_NO_HANDLER,
    "last-nomem": Event.EVENT_LAST_NOMEM,
    "refused": Event.EVENT_REFUSED,
    "no-domain": Event.EVENT_NO_DOMAIN,
    "mm-dead": Event.EVENT_MM_DEAD,
    "page-error": Event.EVENT_PAGE_ERROR,
    "remove-pending": Event.EVENT_REMOVE_PENDING,
    "remove-delivered": Event.EVENT_REMOVE_DELIVERED,
    "flush": Event.EVENT_FLUSH,
    "unbind-user": Event.EVENT_UNBIND_USER,
}
_SUMMED: dict[str, tuple[str, ...]] = {
    "partial": ("partial_added",),
    "last": ("groups",),
    "overflow": ("discarded",),
    "remove-partial": ("freed", "acknowledged"),
}
# Violations without a cell in the table, by their event.
_EVENT_IS_VIOLATION = {
    "remove-fails-ebusy": Event.EVENT_UNREGISTER_BUSY,
    "naked-remove-in-report": Event.EVENT_REMOVE_IN_REPORT,
    "flush-after-remove": Event.EVENT_FLUSH_UNLISTED,
    "plain-detach-undrained": Event.EVENT_PLAIN_UNDRAINED,
}
_STOP_MARKERS = "stop-marker-blindness"


@dataclass(frozen=True, slots=True)
class Reached:
    """A cell of the table and the number of its occurrences."""

    cell: Cell
    times: int

    @property
    def possible(self) -> bool:
        """Whether the event exists in the generation."""
        return self.cell.fate is not Fate.ABSENT


def coverage(generation: str, events: Sequence[int], kernel: Mapping[str, int]) -> list[Reached]:
    """The column of a generation, in the order of the table. `events`: counts by `Event`; `kernel`: sums over all devices."""
    return [
        Reached(
            cell(event, generation),
            events[_COUNTED[event]]
            if event in _COUNTED
            else sum(kernel[name] for name in _SUMMED[event]),
        )
        for event in EVENTS
    ]


def known_violations(
    generation: str,
    reached: Sequence[Reached],
    events: Sequence[int],
    kernel: Mapping[str, int],
) -> dict[str, int]:
    """Occurrences of each known violation of the generation, by slug."""
    times: dict[str, int] = {}
    for each in reached:
        if each.cell.known is not None and each.times:
            times[each.cell.known] = max(times.get(each.cell.known, 0), each.times)
    for slug, event in _EVENT_IS_VIOLATION.items():
        if generation in KNOWN[slug].generations and events[event]:
            times[slug] = events[event]
    if generation in KNOWN[_STOP_MARKERS].generations and kernel["markers"]:
        times[_STOP_MARKERS] = kernel["markers"]
    return {slug: times[slug] for slug in KNOWN if slug in times}


def kernel_warnings(warned: Sequence[int]) -> dict[str, int]:
    """Number of true WARN_ONs by the function of Linux, without those that have none. `warned`: counts by `KernelWarning`."""
    return {
        KernelWarning(place).name.removeprefix("WARN_").lower(): times
        for place, times in enumerate(warned)
        if times
    }
