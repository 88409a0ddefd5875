# SPDX-License-Identifier: MIT
"""Known violations of the generations, by slug of the catalogue (`iopf race list`).

A run of a listed generation may show what that kernel did. The same finding in another generation is a bug of the emulator, or a new
one of the kernel. Defects of single releases that must be enabled (such as report-missing-return of v6.9.0) are not listed.
"""

from __future__ import annotations

from dataclasses import dataclass

from iopf.emulator.spec.kernels import GENERATIONS, MERGED, since, span


@dataclass(frozen=True, slots=True)
class Known:
    """A violation: its number in the catalogue, its generations, and its effect."""

    number: str
    generations: tuple[str, ...]
    what: str


KNOWN: dict[str, Known] = {
    "partial-enomem-page-lost": Known(
        "4.6",
        GENERATIONS,
        "a non-last request without memory is missing in its group, which still gets Success",
    ),
    "discard-partial-unlocked": Known(
        "4.7",
        span("v5.13", "v6.2"),
        "discard walks the partials without the lock that report takes",
    ),
    "grpid-only-match": Known(
        "4.8", GENERATIONS, "partials are collected by group index alone; a group may mix PASIDs"
    ),
    "partial-never-acked-at-remove": Known(
        "4.9", MERGED, "removal frees partial groups without an answer"
    ),
    "flush-ignores-partials": Known(
        "4.10", GENERATIONS, "partials of a PASID remain after its unbind"
    ),
    "naked-flush-unfenced": Known(
        "4.12",
        since("v6.9", proposed=False),
        "a flush can return while the hardware still has requests",
    ),
    "remove-fails-ebusy": Known(
        "4.13",
        span("v5.13", "v6.2"),
        "the handler cannot be unregistered while answers are pending",
    ),
    "pending-unanswered-at-remove": Known(
        "4.14", span("v5.13", "v6.2"), "removal answers no group; only its worker may still do so"
    ),
    "bad-setup-silent": Known(
        "4.18", ("v6.9",), "a fault of a device without a queue is never answered"
    ),
    "answer-for-nonlast": Known(
        "4.19",
        since("v6.11", proposed=False),
        "a non-last request without a handler is answered, so a group gets several answers",
    ),
    "remove-frees-owned-group": Known(
        "4.21",
        span("v6.14", "v6.16"),
        "removal frees a group that user space still holds (CVE-2026-74520)",
    ),
    "remove-before-drain": Known(
        "4.22", since("v6.14", proposed=False), "removal frees a group that a worker still holds"
    ),
    "head-of-line-by-lock": Known(
        "4.25", MERGED, "the interrupt thread waits for a flush or an answer of the same device"
    ),
    "flush-whole-queue": Known(
        "4.26", MERGED, "a flush waits for the groups of every device of the queue"
    ),
    "rid-faults-not-drained": Known("4.35", ("v6.13",), "a drain skips requests without PASID"),
    "device-release-vs-report": Known(
        "4.36", span("v5.13", "v6.2"), "nothing pins the device between its lookup and its report"
    ),
    "stop-marker-blindness": Known(
        "4.39", GENERATIONS, "the driver drops stop markers, so software does not see the boundary"
    ),
    "shared-completion-lost-wake": Known(
        "4.40",
        since("v6.14", proposed=False),
        "two drains share one completion; one may never wake up",
    ),
    "replace-auto-responds-new-hwpt": Known(
        "4.65",
        since("v6.14", proposed=False),
        "after a replace the groups are searched in the wrong object",
    ),
    "deliver-list-under-mutex": Known(
        "4.67",
        span("v6.11", "v6.13"),
        "the interrupt thread waits for a mutex that read() of user space holds",
    ),
    "read-loop-on-efault": Known(
        "4.70", span("v6.14", "v6.16"), "read() with a bad buffer retries the same group forever"
    ),
    "naked-remove-in-report": Known(
        "new",
        GENERATIONS,
        "a removal without a drain races with a report, whose request is then on no list",
    ),
    "flush-after-remove": Known(
        "new",
        MERGED,
        "a flush of a removed device waits for nothing, while workers still have its groups",
    ),
    "plain-detach-undrained": Known(
        "new",
        since("v6.16", proposed=False),
        "the detach of a plain domain skips the drain while a report reads its handle",
    ),
    "no-answer-at-all": Known("4.79", since("v6.11"), "user space may never answer"),
}


def known_in(generation: str) -> dict[str, Known]:
    """The known violations of a generation."""
    return {slug: known for slug, known in KNOWN.items() if generation in known.generations}
