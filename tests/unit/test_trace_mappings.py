# SPDX-License-Identifier: MIT
"""Effects of traced system calls on mappings, and the mappings that a plan adds because faults prove them."""

from __future__ import annotations

from pathlib import Path

import pytest
from iopf.emulator.trace.collect import KERNEL_ADDRESS
from iopf.emulator.trace.program import ANONYMOUS, SHARED

from tests.support.trace_text import Planner, call, fault, mmap, planner, shape


@pytest.fixture
def plan_of(tmp_path: Path) -> Planner:
    return planner(tmp_path)


def test_implicit_mapping_covers_a_run_with_the_union_of_permissions(plan_of: Planner) -> None:
    plan = plan_of(
        fault(1, 0, 0x400000, 0x14)
        + fault(1, 1, 0x420123, 4)
        + fault(1, 2, 0x421000 + 32 * 4096, 6)
        + fault(1, 3, 0x422000 + 65 * 4096 + 4096, 4)
        + fault(1, 4, 1 << 63, 6)
        + fault(1, 5, 0xFFFF888000000000, 2, "kernel")
    )
    assert shape(plan.tenants[0]) == [
        "NEW_MM",
        "~MAP 400-442 7",
        "~MAP 464-465 1",
        "400?5",
        "420?1",
        "441?3",
        "464?1",
        "EXIT",
    ]
    assert plan.skipped[KERNEL_ADDRESS].lines == [5, 6]
    assert plan.faults == plan.requests + 2 == 6


def test_implicit_mapping_does_not_cross_an_explicit_one(plan_of: Planner) -> None:
    plan = plan_of(fault(1, 0, 0x10000) + mmap(1, 1, 0x12000, 0x1000) + fault(1, 4, 0x14000))
    assert shape(plan.tenants[0])[1:3] == ["~MAP 10-11 3", "~MAP 14-15 3"]


def test_range_once_mapped_gets_its_implicit_mapping_late(plan_of: Planner) -> None:
    plan = plan_of(
        mmap(1, 0, 0x10000, 0x2000)
        + fault(1, 2, 0x10000)
        + call(1, 3, "munmap", 0, addr=0x10000, len=0x2000)
        + mmap(1, 5, 0x12000, 0x1000)
        + fault(1, 7, 0x10000, 4)
        + fault(1, 8, 0x11000, 6)
    )
    assert shape(plan.tenants[0]) == [
        "NEW_MM",
        "MAP 10-12 3",
        "10?3",
        "UNMAP 10-12",
        "MAP 12-13 3",
        "~MAP 10-12 3",
        "10?1",
        "11?3",
        "EXIT",
    ]
    assert plan.forbidden_faults == 0


def test_successful_mprotect_proves_a_mapping(plan_of: Planner) -> None:
    plan = plan_of(
        fault(1, 0, 0x10000) + call(1, 1, "mprotect", 0, start=0x10000, len=0x3000, prot=1)
    )
    assert shape(plan.tenants[0])[1:4] == ["~MAP 10-13 3", "10?3", "PROTECT 10-13 1"]


def test_protection_decides_which_faults_are_forbidden(plan_of: Planner) -> None:
    plan = plan_of(
        mmap(1, 0, 0x10000, 0x2000, prot=0)
        + fault(1, 2, 0x10000, 4)
        + call(1, 3, "mprotect", 0, start=0x10000, len=0x1000, prot=3)
        + fault(1, 5, 0x10000, 7)
        + fault(1, 6, 0x11000, 6)
        + fault(1, 7, 0x10000, 0x14)
    )
    assert plan.forbidden_faults == 3
    assert plan.requests == 4
    assert plan.implicit_mappings == 0


def test_failed_calls_have_no_effect(plan_of: Planner) -> None:
    plan = plan_of(
        mmap(1, 0, -12, 0x2000)
        + call(1, 2, "munmap", -22, addr=0x10000, len=0x1000)
        + call(1, 4, "mprotect", -12, start=0x10000, len=0x1000, prot=1)
        + call(1, 6, "mremap", -14, addr=0x10000, old_len=0x1000, new_len=0x2000, flags=1)
        + call(1, 8, "execve", -2, filename=1)
        + fault(1, 10, 0x10000)
    )
    assert shape(plan.tenants[0]) == ["NEW_MM", "~MAP 10-11 3", "10?3", "EXIT"]


def test_attributes_of_mappings(plan_of: Planner) -> None:
    plan = plan_of(mmap(1, 0, 0x10000, 0x123, 1, 1) + mmap(1, 2, 0x20000, 0x1001, 7, 0x20022))
    steps = plan.tenants[0].mms[0].steps
    assert [(s.a, s.b, s.arg) for s in steps] == [
        (0x10000, 0x11000, 1 | SHARED),
        (0x20000, 0x22000, 7 | ANONYMOUS),
    ]
    assert [s.t_ns for s in steps] == [1000, 3000]


def test_fixed_mapping_replaces(plan_of: Planner) -> None:
    plan = plan_of(
        mmap(1, 0, 0x10000, 0x4000, 1, 2)
        + call(1, 2, "mmap", 0x11000, addr=0x11000, len=0x1000, prot=5, flags=0x812)
        + fault(1, 4, 0x11000, 0x14)
        + fault(1, 5, 0x12000, 4)
    )
    assert shape(plan.tenants[0])[1:4] == ["MAP 10-14 1", "UNMAP 11-12", "MAP 11-12 5"]
    assert (plan.forbidden_faults, plan.max_vmas) == (0, 3)


def test_break_grows_and_shrinks(plan_of: Planner) -> None:
    plan = plan_of(
        call(1, 0, "brk", 0x10800, brk=0)
        + call(1, 2, "brk", 0x15000, brk=0x15000)
        + call(1, 4, "brk", 0x15000, brk=0x99000)
        + call(1, 6, "brk", 0x12800, brk=0x12800)
        + call(1, 8, "brk", 0x12900, brk=0x12900)
    )
    assert shape(plan.tenants[0]) == ["NEW_MM", "MAP 11-15 3", "UNMAP 13-15", "EXIT"]


def test_mremap_moves_shrinks_and_grows(plan_of: Planner) -> None:
    def mremap(t_us: int, old: int, old_len: int, new: int, new_len: int) -> str:
        args = {"addr": old, "old_len": old_len, "new_len": new_len, "flags": 1, "new_addr": 0}
        return call(1, t_us, "mremap", new, **args)

    plan = plan_of(
        mmap(1, 0, 0x10000, 0x4000)
        + mremap(2, 0x10000, 0x4000, 0x10000, 0x6000)
        + mremap(4, 0x10000, 0x6000, 0x10000, 0x5000)
        + mremap(6, 0x10000, 0x5000, 0x40000, 0x8000)
        + mremap(8, 0x40000, 0x8000, 0x80000, 0x1000)
        + mremap(10, 0x90000, 0x1000, 0xA0000, 0x2000)
        + fault(1, 12, 0x80000)
        + fault(1, 13, 0xA1000)
    )
    assert shape(plan.tenants[0]) == [
        "NEW_MM",
        "~MAP 90-91 3",
        "MAP 10-14 3",
        "MAP 14-16 3",
        "UNMAP 15-16",
        "MREMAP 10-15 40-48",
        "UNMAP 41-48",
        "MREMAP 40-41 80-81",
        "MREMAP 90-91 a0-a2",
        "80?3",
        "a1?3",
        "EXIT",
    ]


def test_madvise_zaps(plan_of: Planner) -> None:
    text = mmap(1, 0, 0x10000, 0x4000)
    for t_us, advice in ((2, 4), (4, 8), (6, 14)):
        text += call(1, t_us, "madvise", 0, start=0x11000, len_in=0x1001, behavior=advice)
    assert shape(plan_of(text).tenants[0])[2:] == ["ZAP 11-13", "ZAP 11-13", "EXIT"]
