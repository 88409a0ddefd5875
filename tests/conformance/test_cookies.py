# SPDX-License-Identifier: MIT
"""`write nth=N` counts the cookies of all reads of a fault object."""

from __future__ import annotations

import pytest

from tests.support.machine import DETACHABLE, Machine

_ONE_BY_ONE = [
    "fault-alloc t0 f1",
    "attach d0 t0 pasid=6 domain=fault fault=f1",
    "send d0 pasid=6 pages=1 at=3 group=first",
    "settle",
    "read f1 t0 bytes=40",
    "send d0 pasid=6 pages=1 at=9 group=second",
    "settle",
    "read f1 t0 bytes=40",
]


@pytest.mark.parametrize("generation", DETACHABLE)
def test_a_vmm_answers_the_younger_fault_first(generation: str, machine: Machine) -> None:
    seen = machine(
        generation,
        [
            *_ONE_BY_ONE,
            "write f1 t0 nth=1 code=success",
            "write f1 t0 nth=0 code=invalid",
            "write f1 t0 nth=2 code=invalid try",
            "expect d0 group=second code=success",
            "expect d0 group=first code=invalid",
            "detach d0 t0 pasid=6",
        ],
    )
    assert (seen.codes("second"), seen.codes("first")) == ([0], [1])
    assert seen.returned("write f1 t0 nth=2 code=invalid") == [-22]


def test_a_read_that_fails_uses_no_number(machine: Machine) -> None:
    """The copy to an unmapped buffer fails, and the same group is the first cookie of the next read."""
    seen = machine(
        "v7.2",
        [
            *_ONE_BY_ONE[:4],
            "read f1 t0 bytes=40 unmapped try",
            "read f1 t0 bytes=40",
            "write f1 t0 nth=0 code=success",
            "expect d0 group=first code=success",
            "detach d0 t0 pasid=6",
        ],
    )
    assert seen.returned("read f1 t0 bytes=40 unmapped") == [-14]


def test_a_reopened_object_counts_from_0(machine: Machine) -> None:
    seen = machine(
        "v7.2",
        [
            *_ONE_BY_ONE[:5],
            "write f1 t0 nth=0 code=success",
            "detach d0 t0 pasid=6",
            "fault-close t0 f1",
            *(line.replace("first", "again") for line in _ONE_BY_ONE[:5]),
            "write f1 t0 nth=0 code=invalid",
            "expect d0 group=again code=invalid",
            "detach d0 t0 pasid=6",
        ],
    )
    assert (seen.codes("first"), seen.codes("again")) == ([0], [1])
