# SPDX-License-Identifier: MIT
"""Several IOMMUs, the ways in which devices share queues, and the options of the review.

Who shares a queue or a workqueue, and in which order work is done, changes nothing of what is
answered.
"""

from __future__ import annotations

import pytest
from iopf.emulator.check.case import Case, differences
from iopf.emulator.check.cases import CASES

from tests.support.cases import run_real
from tests.support.machine import ALL, Machine, fate

_FOUR = 4
_ORDER_FREE = ("last", "page-error", "overflow", "refused", "remove-partial")
_FLOWS = ("v5.13", "v6.9", "v7.2", "gunthorpe")


@pytest.mark.parametrize("queues", ["global", "iommu", "device", "domain"])
@pytest.mark.parametrize("generation", ALL)
def test_devices_of_two_iommus_with_groups_in_flight(
    generation: str, queues: str, machine: Machine
) -> None:
    """A flush and a removal wait for groups of any device; the others go on (I23, I24)."""
    bound = {0: "t0", 1: "t0", 2: "t1", 3: "t1"}
    seen = machine(
        generation,
        [
            "map t0 8",
            "map t1 8",
            *[f"bind d{d} {t}" for d, t in bound.items()],
            "hold workers",
            *[f"send d{d} {t} pages=3 group=a" for d, t in bound.items()],
            "send d1 t0 pages=2 at=4 group=p open",
            "settle",
            "let-go workers",
            "flush d0",
            "remove d1",
            *[f"await d{d}" for d in (0, 2, 3)],
            *[f"send d{d} {bound[d]} pages=1 at=7 group=b" for d in (0, 2, 3)],
            "plug d1",
            "bind d1 t0",
            "send d1 t0 pages=2 at=4 group=c",
            *[f"await d{d}" for d in bound],
        ],
        devices=_FOUR,
        tenants=2,
        iommu={"units": 2},
        kernel={"queues": queues},
    )
    assert [seen.codes("a", d) for d in bound] == [fate("last", generation)] * _FOUR
    assert [seen.codes("b", d) for d in (0, 2, 3)] == [[0]] * 3
    assert seen.codes("c", 1) == [0]
    # What was a partial when its device went is not part of anything that came later.
    assert (seen.kernel("groups"), seen.kernel("answered_ok")) == (8, 4 * 3 + 3 + 2)
    assert seen.kernel("freed") + seen.kernel("acknowledged") == 2


@pytest.mark.parametrize("queues", ["global", "iommu", "device"])
@pytest.mark.parametrize("generation", ALL)
def test_an_overflow_discards_the_partials_of_its_queue(
    generation: str, queues: str, machine: Machine
) -> None:
    """iopf_queue_discard_partial goes over all devices of a queue, of others none."""
    seen = machine(
        generation,
        [
            "map t0 256",
            *[f"bind d{d} t0" for d in range(_FOUR)],
            *[f"send d{d} t0 pages=2 group=p open" for d in (1, 2, 3)],
            "settle",
            "hold irq",
            "send d0 t0 pages=64 group=a",
            "send d0 t0 pages=64 at=64 group=b",
            "settle",
            "let-go irq",
            "await d0",
            "settle",
            *[f"send d{d} t0 pages=1 at=2 group=p" for d in (1, 2, 3)],
            *[f"await d{d}" for d in (1, 2, 3)],
        ],
        devices=_FOUR,
        iommu={"units": 2},
        kernel={"queues": queues},
    )
    # d0 and d2 are behind one IOMMU, d1 and d3 behind the other.
    hit = 3 if queues == "global" else 1
    assert seen.lost == {"overflow, partial discarded": 2 * hit + 63}
    assert seen.kernel("partial_moved") == 63 + 2 * (3 - hit)
    assert [seen.codes("p", d) for d in (1, 2, 3)] == [[0]] * 3


@pytest.mark.parametrize("option", ["sync", "eager", "group-lists"])
@pytest.mark.parametrize("generation", _FLOWS)
@pytest.mark.parametrize(
    "case", [c for c in CASES if c.event in _ORDER_FREE], ids=lambda case: case.event
)
def test_options_of_the_review_change_no_fate(case: Case, generation: str, option: str) -> None:
    """Handling in the IRQ thread, at once, or by lists per group gives the same answers."""
    seen, result = run_real(case, generation, [option])
    assert differences(case.expected[generation], seen) == [], result["problems"]
    assert [name for name, pool in result["pools"].items() if pool["live"]] == []


@pytest.mark.parametrize("generation", ALL)
def test_sync_handles_in_the_irq_thread(generation: str, machine: Machine) -> None:
    """With `sync` no worker is needed: held ones change nothing, and a flush has no work to wait for."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "hold workers",
            "send d0 t0 pages=4 group=a",
            "await d0",
            "flush d0",
            "unbind d0 t0",
            "let-go workers",
        ],
        kernel={"options": ["sync"]},
    )
    assert seen.codes("a") == fate("last", generation)
    assert (seen.kernel("answered_ok"), seen.result["iommu"]["backlog"]) == (4, 0)
