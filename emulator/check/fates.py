# SPDX-License-Identifier: MIT
"""The fate of a fault by event and generation, as data. The rows were derived from drivers/iommu/io-pgfault.c and its callers.

Rows are events, columns generations. The column of the flow that Jason Gunthorpe proposed (iommu list, 2023-11-15, never merged) is
derived: translation changes acknowledge queued faults, including partial groups, with Success; a fault without a handler restarts; a
fault answered by teardown is marked, so that a later answer has no effect; freeing a domain waits for its groups. The mail leaves two
cases open. Here an overflow discards partials without an answer, because the hardware has answered the groups already, and an event
that cannot be allocated ends as in the merged kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from iopf.emulator.spec.kernels import span


class Fate(Enum):
    """The fate of a fault in a few words."""

    SUCCESS = "answered SUCCESS"
    INVALID = "answered INVALID"
    FAILURE = "answered FAILURE"
    DRIVER = "error; driver answers"
    ERROR = "error, no answer"
    NOTHING = "no answer"
    KEPT = "kept as a partial"
    MISSING = "missing in its group"
    DISCARDED = "freed, no answer"
    LEFT = "left to the worker"
    USE_AFTER_FREE = "INVALID, then freed"
    USER = "left to user space"
    WAITS = "waited for"
    ABSENT = "not in this kernel"


EVENTS: dict[str, str] = {
    "no-param": "the device is not on an IOPF queue",
    "wrong-type": "the fault is not a page request",
    "partial": "a non-last request is accepted",
    "partial-nomem": "a non-last request, its allocation fails",
    "partial-no-handler": "a non-last request of a PASID without a handler",
    "last": "a last request is accepted",
    "last-nomem": "a last request, the allocation of its group fails",
    "refused": "the handler refuses the group",
    "no-domain": "a last request of a PASID without mm or domain",
    "mm-dead": "the mm dies before a worker takes the group",
    "page-error": "no mapping or permission for one of the pages",
    "overflow": "the hardware queue overflows: partials",
    "remove-partial": "iopf_queue_remove_device: partials",
    "remove-pending": "iopf_queue_remove_device: groups with a worker",
    "remove-delivered": "iopf_queue_remove_device: groups with user space",
    "flush": "iopf_queue_flush_dev",
    "unbind-user": "detach while user space holds the group",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table. `known`: slug of the violation that it shows (`violations`)."""

    event: str
    generation: str
    fate: Fate
    note: str
    known: str | None = None


_Entry = tuple[tuple[str, ...], Fate, str, str | None]


def _in(generations: str, fate: Fate, note: str, known: str | None = None) -> _Entry:
    first, _, last = generations.partition("..")
    return span(first, last or first), fate, note, known


_ROWS: dict[str, tuple[_Entry, ...]] = {
    "no-param": (
        _in("v5.13..v6.2", Fate.DRIVER, "-ENODEV, -EINVAL without a registered handler"),
        _in("v6.9", Fate.NOTHING, "a warning; no error to the driver", "bad-setup-silent"),
        _in("v6.11..v7.2", Fate.INVALID, "-EINVAL to the driver"),
        _in("gunthorpe", Fate.SUCCESS, "the first fault allocates the param, and is handled"),
    ),
    "wrong-type": (
        _in("v5.13..v6.2", Fate.ERROR, "-EOPNOTSUPP"),
        _in("v6.9", Fate.SUCCESS, "the core ignores the type"),
        _in(
            "v6.11..v7.2",
            Fate.SUCCESS,
            "checked only without a handler: no answer, -EINVAL",
        ),
        _in("gunthorpe", Fate.SUCCESS, "only one type exists"),
    ),
    "partial": (
        _in("v5.13..v6.2", Fate.KEPT, "0; never answered by itself"),
        _in("v6.9", Fate.KEPT, "v6.9.0 also answered it (report-missing-return)"),
        _in("v6.11..gunthorpe", Fate.KEPT, "0; never answered by itself"),
    ),
    "partial-nomem": (
        _in("v5.13..v6.2", Fate.MISSING, "-ENOMEM", "partial-enomem-page-lost"),
        _in("v6.9", Fate.MISSING, "no error reported", "partial-enomem-page-lost"),
        _in("v6.11..gunthorpe", Fate.MISSING, "-ENOMEM", "partial-enomem-page-lost"),
    ),
    "partial-no-handler": (
        _in("v5.13..v6.2", Fate.KEPT, "the handler is looked up when the worker runs"),
        _in("v6.9", Fate.KEPT, "the domain is looked up with the last request"),
        _in("v6.11..v7.2", Fate.INVALID, "-EINVAL; an answer to a non-last", "answer-for-nonlast"),
        _in("gunthorpe", Fate.KEPT, "set aside before any lookup"),
    ),
    "last": (
        _in("v5.13..v6.2", Fate.SUCCESS, "a copy is pending; the group goes to the work queue"),
        _in("v6.9", Fate.SUCCESS, "the group is pending; its domain is determined"),
        _in("v6.11..v6.16", Fate.SUCCESS, "the group is pending; its attach handle is determined"),
        _in(
            "v7.2", Fate.SUCCESS, "pending until a worker answers; user space takes it off the list"
        ),
        _in("gunthorpe", Fate.SUCCESS, "pending, and counted in its domain"),
    ),
    "last-nomem": (
        _in("v5.13..v6.2", Fate.DRIVER, "-ENOMEM; matching partials are freed"),
        _in(
            "v6.9..gunthorpe", Fate.FAILURE, "a group on the stack takes the partials and is freed"
        ),
    ),
    "refused": (
        _in("v5.13..v6.2", Fate.ABSENT, "handlers return a code, they cannot refuse"),
        _in("v6.9..gunthorpe", Fate.FAILURE, "the group is freed"),
    ),
    "no-domain": (
        _in("v5.13..v5.18", Fate.INVALID, "the worker finds no mm for the PASID"),
        _in("v6.2", Fate.INVALID, "the worker finds no domain"),
        _in("v6.9", Fate.FAILURE, "the group is aborted"),
        _in("v6.11..v7.2", Fate.INVALID, "-EINVAL; no group is built"),
        _in("gunthorpe", Fate.SUCCESS, "restarts"),
    ),
    "mm-dead": (_in("v5.13..gunthorpe", Fate.INVALID, "mmget_not_zero fails in the worker"),),
    "page-error": (
        _in(
            "v5.13..gunthorpe", Fate.INVALID, "sticky: later requests of the group are not handled"
        ),
    ),
    "overflow": (
        _in(
            "v5.13..gunthorpe",
            Fate.DISCARDED,
            "of every device; the hardware answered lost last requests SUCCESS",
        ),
    ),
    "remove-partial": (
        _in("v5.13..v7.2", Fate.DISCARDED, "", "partial-never-acked-at-remove"),
        _in("gunthorpe", Fate.SUCCESS, "one answer per group: the device restarts"),
    ),
    "remove-pending": (
        _in("v5.13..v6.2", Fate.LEFT, "neither answered nor freed", "pending-unanswered-at-remove"),
        _in("v6.9..v6.13", Fate.INVALID, "unlinked; the worker frees it; its answer has no effect"),
        _in("v6.14..v7.2", Fate.USE_AFTER_FREE, "safe only after a drain", "remove-before-drain"),
        _in("gunthorpe", Fate.SUCCESS, "marked; the worker frees it; its answer has no effect"),
    ),
    "remove-delivered": (
        _in("v5.13..v6.9", Fate.ABSENT, "no delivery to user space"),
        _in("v6.11..v6.13", Fate.INVALID, "unlinked; the answer of user space has no effect"),
        _in(
            "v6.14..v6.16",
            Fate.USE_AFTER_FREE,
            "read() walks a freed group",
            "remove-frees-owned-group",
        ),
        _in("v7.2", Fate.USER, "off the list: user space owns it"),
        _in("gunthorpe", Fate.SUCCESS, "marked; the answer of user space has no effect"),
    ),
    "flush": (
        _in(
            "v5.13..v6.2", Fate.WAITS, "for all devices, with param->lock held", "flush-whole-queue"
        ),
        _in("v6.9..v7.2", Fate.WAITS, "for all devices, without a lock", "flush-whole-queue"),
        _in("gunthorpe", Fate.WAITS, "for the groups of the freed domain"),
    ),
    "unbind-user": (
        _in("v5.13..v6.9", Fate.ABSENT, "no delivery to user space"),
        _in("v6.11..v6.14", Fate.INVALID, "automatic, for the groups of that attach handle"),
        _in(
            "v6.16",
            Fate.USE_AFTER_FREE,
            "the last detach takes the device off its queue first",
            "remove-frees-owned-group",
        ),
        _in("v7.2", Fate.INVALID, "automatic, for the groups of that attach handle"),
        _in("gunthorpe", Fate.SUCCESS, "marked; a late answer of user space has no effect"),
    ),
}

CELLS: tuple[Cell, ...] = tuple(
    Cell(event, generation, fate, note, known)
    for event, entries in _ROWS.items()
    for generations, fate, note, known in entries
    for generation in generations
)


def cell(event: str, generation: str) -> Cell:
    """The cell of an event in a generation. Raises KeyError for unknown ones."""
    for each in CELLS:
        if (each.event, each.generation) == (event, generation):
            return each
    raise KeyError(f"{event} in {generation}")
