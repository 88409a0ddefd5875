# SPDX-License-Identifier: MIT
"""Operations of programs whose effect no cell of the table shows."""

from __future__ import annotations

import pytest
from iopf.emulator.spec.kernels import GENERATIONS, since
from iopf.tools.supervisor.run import run_programs

LARGE = {"credits": 256, "groups_in_flight": 64}
SMALL_QUEUE = {"prq_records": 128}


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("held", [True, False])
def test_overflow_sends_until_the_queue_overflows(generation: str, held: bool) -> None:
    """The hardware answers lost last requests Success; partials that wait then are discarded."""
    flood = ["hold irq", "overflow d0 t0", "let-go irq"] if held else ["overflow d0 t0"]
    ops = ["map t0 64", "bind d0 t0", *flood, "await d0", "send d0 t0 pages=4 group=a"]
    kernel = {"generation": generation}
    result = run_programs([*ops, "await d0"], device=[LARGE], iommu=SMALL_QUEUE, kernel=kernel)
    assert result["problems"] == []
    assert result["iommu"]["overflows"] >= 1
    assert result["account"]["auto_success"] >= 1
    assert result["answers"]["dev-00"]["a"] == [0]


def test_overflow_that_cannot_come_is_an_error() -> None:
    """A queue that holds all credits of the device, and no reader: -ENOSPC, and a finding unless it was tried."""
    ops = ["map t0 64", "bind d0 t0", "hold irq", "overflow d0 t0 try", "let-go irq", "await d0"]
    result = run_programs(ops, device=[{"credits": 64}], iommu=SMALL_QUEUE)
    assert result["status"] == 0
    assert result["programs"][3]["result"] == -28
    ops[3] = "overflow d0 t0"
    failed = run_programs(ops, device=[{"credits": 64}], iommu=SMALL_QUEUE)
    assert "program[0].ops[3] 'overflow d0 t0' failed: No space left" in failed["problems"][0]


def test_after_a_failure_only_a_recovered_device_sends() -> None:
    """PCIe: Response Failure switches the page requests of a function off until its driver sets it up anew."""
    ops = [
        "map t0 16",
        "bind d0 t0",
        "recover d0",
        "refuse 1",
        "send d0 t0 pages=1 group=refused",
        "settle",
        "send d0 t0 pages=1 group=off try",
        "recover d0",
        "bind d0 t0",
        "send d0 t0 pages=1 group=on",
        "await d0",
    ]
    result = run_programs(ops)
    assert result["problems"] == []
    results = [line["result"] for line in result["programs"]]
    assert results[6] == -19
    assert result["answers"]["dev-00"] == {"refused": [15], "off": [], "on": [0]}


@pytest.mark.parametrize("generation", since("v6.11"))
def test_a_replace_between_partial_and_last_leaves_the_partial(generation: str) -> None:
    """Replace does not block the device: a group may begin with a fault domain and end without. gunthorpe acknowledges, then restarts."""
    where = "d0 t0 pasid=900"
    ops = [
        "map t0 16",
        "fault-alloc t0 f0",
        f"attach {where} domain=fault fault=f0",
        "send d0 pasid=900 pages=2 group=a open",
        "settle",
        f"replace {where} domain=paging",
        "send d0 pasid=900 pages=1 group=a try",
        "await d0",
    ]
    result = run_programs(ops, kernel={"generation": generation})
    assert result["problems"] == []
    assert result["answers"]["dev-00"]["a"] == ([0, 0] if generation == "gunthorpe" else [1])
    kernel = result["sides"]["kernel"]
    assert kernel["freed"] + kernel["acknowledged"] == 2
