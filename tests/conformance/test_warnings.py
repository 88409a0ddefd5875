# SPDX-License-Identifier: MIT
"""WARN_ONs of Linux: counted by function, and the run is not clean."""

from __future__ import annotations

import pytest
from iopf.emulator.spec.kernels import MERGED, span
from iopf.emulator.spec.text import counted
from iopf.tools.supervisor.run import run_programs

from tests.support.machine import Machine

FLUSH_WITHOUT_PARAM = [
    "map t0 8",
    "bind d0 t0",
    "send d0 t0 pages=2 group=warm",
    "await d0",
    "queue-remove d0",
    "flush d0 try",
    "unbind d0 t0",
]
WARNING = "kernel warning: WARN_ON in iopf_queue_flush_dev, "


@pytest.mark.parametrize("generation", [g for g in MERGED if g not in span("v5.13", "v6.2")])
def test_a_flush_after_the_removal_is_a_warning(generation: str) -> None:
    """WARN_ON(!iopf_param), in the driver's flush and in the drain of the unbind."""
    result = run_programs(FLUSH_WITHOUT_PARAM, kernel={"generation": generation})
    count = result["warnings"]["iopf_queue_flush_dev"]
    assert count >= 1
    assert result["problems"] == [WARNING + counted(count, "time")]
    assert (result["status"], result["verdict"]) == (1, "FAILED")
    assert result["end_reason"] == "a check failed"


@pytest.mark.parametrize("generation", [*span("v5.13", "v6.2"), "gunthorpe"])
def test_kernels_without_the_warning_are_silent(generation: str, machine: Machine) -> None:
    assert machine(generation, FLUSH_WITHOUT_PARAM).result["warnings"] == {}


def test_the_unbind_alone_warns() -> None:
    """The drain flushes a queue that the device is not on."""
    result = run_programs(
        ["map t0 8", "bind d0 t0", "queue-remove d0", "unbind d0 t0"],
        kernel={"generation": "v6.9"},
    )
    assert result["problems"] == [WARNING + "1 time"]


def test_a_report_without_param_warns(machine: Machine) -> None:
    program = ["bind d0 t0", "queue-remove d0", "report d0 pasid=1 prgi=1 try"]
    for generation in ("v6.9", "v6.11", "v7.2"):
        warnings = machine(generation, program).result["warnings"]
        assert warnings["iommu_report_device_fault"] == 1, generation


def test_warnings_may_only_be_counted(machine: Machine) -> None:
    seen = machine("v6.9", FLUSH_WITHOUT_PARAM)
    assert seen.result["warnings"]["iopf_queue_flush_dev"] >= 1
    assert seen.result["status"] == 0
