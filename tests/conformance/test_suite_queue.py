# SPDX-License-Identifier: MIT
"""The conformance suite, queues: C8, C9, C18 and C19."""

from __future__ import annotations

import pytest
from iopf.cython_ext.crew import VerdictKind
from iopf.emulator.board.layout import OFF_CREW
from iopf.emulator.board.process import Process
from iopf.emulator.board.snapshot import Snapshot
from iopf.emulator.check.case import RECORDS
from iopf.emulator.spec.classes import LockClass
from iopf.emulator.spec.generations import Generation

from tests.probes.crew import Crew
from tests.probes.workqueue import Workqueue
from tests.support.boards import make_board
from tests.support.machine import ALL, OLD, Machine, fate


@pytest.mark.parametrize("generation", ALL)
def test_c08_a_device_is_on_one_queue_once(generation: str, machine: Machine) -> None:
    """A second add is -EBUSY, removing what is not there changes nothing (I31)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "send d0 t0 pages=1 group=a",
            "await d0",
            "queue-add d0 try",
            "queue-remove d0",
            "queue-remove d0 try",
            "unregister d0 try",
            "unregister d0 try",
            "register d0 try",
            "register d0 try",
            "queue-add d0",
            "send d0 t0 pages=1 group=b",
            "await d0",
        ],
    )
    old = generation in OLD
    assert seen.returned("queue-add d0") == [-16, 0]
    assert seen.returned("queue-remove d0") == [0, -22 if old else 0]
    # Handlers are registered apart until v6.8.
    assert seen.returned("unregister d0") == ([0, -22] if old else [-95, -95])
    assert seen.returned("register d0") == ([0, -16] if old else [-95, -95])
    assert (seen.codes("a"), seen.codes("b")) == ([0], [0])


@pytest.mark.parametrize("generation", ALL)
def test_c09_a_ring_of_n_records_holds_one_less(generation: str, machine: Machine) -> None:
    """N-1 requests fit and none is lost; head and tail never meet on a full ring (I10)."""
    seen = machine(
        generation,
        [
            "map t0 256",
            "bind d0 t0",
            "hold irq",
            "send d0 t0 pages=64 group=a",
            "send d0 t0 pages=63 at=64 group=b",
            "settle",
            "let-go irq",
            "await d0",
        ],
    )
    assert (seen.codes("a"), seen.codes("b"), seen.lost) == ([0], [0], {})
    iommu = seen.result["iommu"]
    assert (iommu["prq_hwm"], iommu["overflows"]) == (RECORDS - 1, 0)
    assert (iommu["popped"], seen.hardware("auto_success")) == (RECORDS - 1, 0)


@pytest.mark.parametrize("generation", ALL)
def test_c09_an_overflow_is_answered_by_the_hardware(generation: str, machine: Machine) -> None:
    """One more than fits: SUCCESS from the hardware, partials of all devices go, PRO clears (I12)."""
    seen = machine(
        generation,
        [
            "map t0 256",
            "bind d0 t0",
            "bind d1 t0",
            "send d1 t0 pages=3 group=p open",
            "settle",
            "hold irq",
            "send d0 t0 pages=64 group=a",
            "send d0 t0 pages=63 at=64 group=b",
            "send d0 t0 pages=1 at=128 group=c",
            "send d0 t0 pages=3 at=130 group=e",
            "settle",
            "let-go irq",
            "await d0",
            "settle",
            "send d1 t0 pages=1 at=3 group=p",
            "send d0 t0 pages=2 at=140 group=f",
            "await d1",
            "await d0",
        ],
        devices=2,
    )
    assert [seen.codes(label) for label in "abcef"] == [[0]] * 5
    assert seen.codes("p", device=1) == [0]
    # c, and the last of e, were answered before the kernel read them; e lost two more.
    assert (seen.hardware("auto_success"), seen.hardware("drop_overflow")) == (2, 2)
    assert seen.lost == {"overflow": 2, "overflow, partial discarded": 3}
    assert (seen.kernel("groups"), seen.kernel("partial_moved")) == (4, 63 + 62 + 1)
    iommu = seen.result["iommu"]
    assert (iommu["overflows"], iommu["pro"], iommu["ppr"]) == (1, 0, 0)


@pytest.mark.parametrize("generation", ALL)
def test_c18_two_drains_at_once_both_end(generation: str, machine: Machine) -> None:
    """Drains of two devices of one IOMMU wait for the same passes, and none is left asleep (I39, 4.40)."""
    drains = [
        [
            f"k{n}: barrier go",
            "repeat 25",
            f"k{n}: drain d{d} pasid=1",
            "end",
            f"k{n}: barrier over",
        ]
        for n, d in ((1, 0), (2, 1), (3, 0))
    ]
    fire = [
        [
            f"wait-bound d{d} t0",
            f"d{d}: barrier go",
            "repeat 25",
            f"send d{d} t0 pages=4 group=a",
            f"await d{d}",
            "end",
            f"d{d}: barrier over",
        ]
        for d in (0, 1)
    ]
    seen = machine(
        generation,
        ["map t0 8", "bind d0 t0", "bind d1 t0", "t0: barrier go", "t0: barrier over"],
        *drains,
        *fire,
        devices=2,
    )
    runs = [line["runs"] for line in seen.result["programs"] if "drain" in line["text"]]
    assert runs == [25, 25, 25]
    assert (seen.kernel("groups"), seen.kernel("answered_ok"), seen.lost) == (50, 200, {})
    # As many answers as are kept for a label.
    assert set(seen.codes("a")) == set(fate("last", generation))


@pytest.mark.parametrize("generation", ALL)
def test_c19_a_flush_from_a_worker_is_detected(generation: str) -> None:
    """A worker that waits for its own workqueue would wait for ever: lockdep tells before (4.4, I33)."""
    number = Generation["GEN_" + generation.upper().replace(".", "_")]
    memory = make_board(generation=int(number))
    work = Workqueue(Process(memory, 0))
    crew = Crew(memory, 0, Snapshot(memory).region(OFF_CREW))
    assert work.add_device(0) == 0
    assert work.flush_dev(0, as_worker=False) == 0
    assert crew.verdicts() == []
    assert work.flush_dev(0, as_worker=True) == 0
    found = [(verdict["kind"], verdict["cls"]) for verdict in crew.verdicts()]
    recursion = (VerdictKind.VERDICT_RECURSION, LockClass.LOCK_WQ)
    # Until v6.8 the flush holds param->lock, which makes it an inversion too (4.25).
    inversion = (VerdictKind.VERDICT_LOCK_ORDER, LockClass.LOCK_DEV_PARAM)
    assert found == ([inversion, recursion] if generation in OLD else [recursion])
