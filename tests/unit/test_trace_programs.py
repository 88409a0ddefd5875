# SPDX-License-Identifier: MIT
"""Programs of a trace: packing, grouping, and distribution to devices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iopf.emulator.trace.address_space import Step
from iopf.emulator.trace.groups import items
from iopf.emulator.trace.implicit import MmPlan
from iopf.emulator.trace.plan import TenantPlan, TracePlan
from iopf.emulator.trace.program import (
    IMPLICIT,
    RECORD_BYTES,
    SHARED,
    Flag,
    Op,
    Record,
    map_arg,
    pack,
    unpack,
)
from iopf.emulator.trace.replay import build_programs, devices_of

U16, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64))


@given(st.lists(st.builds(Record, st.sampled_from(Op), U16, U32, U64, U64, U64, U64, U64)))
def test_round_trip(records: list[Record]) -> None:
    packed = pack(records)
    assert len(packed) == RECORD_BYTES * len(records)
    assert RECORD_BYTES == 48
    assert unpack(packed) == records


def test_unpack_refuses() -> None:
    with pytest.raises(ValueError, match="multiple"):
        unpack(bytes(47))
    with pytest.raises(ValueError, match="unknown operation 99"):
        unpack(pack([Record(99)]))


def test_map_arg() -> None:
    assert map_arg(5) == 5
    assert map_arg(0x10003, shared=True, implicit=True) == 3 | SHARED | IMPLICIT
    assert map_arg(0, anonymous=True, growsdown=True) == 0x600


def sizes(pages: list[int], limit: int = 16, gap_ns: int = 10) -> list[int]:
    steps = [Step(Op.REQUEST, n * gap_ns, n, page << 12) for n, page in enumerate(pages)]
    return [len(item) for item in items(steps, limit) if isinstance(item, list)]


def test_runs_become_groups() -> None:
    assert sizes([1, 2, 3, 9, 8, 7, 7, 8]) == [3, 3, 2]
    assert sizes([1, 2, 1, 2]) == [2, 2]
    assert sizes([5, 5, 5]) == [1, 1, 1]
    assert sizes([1, 2, 3, 4, 5], limit=2) == [2, 2, 1]
    assert sizes([1, 2, 3], limit=1) == [1, 1, 1]
    assert sizes([1, 2, 3], gap_ns=100_000) == [3]
    assert sizes([1, 2, 3], gap_ns=100_001) == [1, 1, 1]


def test_a_step_of_the_tenant_ends_a_group() -> None:
    steps = [
        Step(Op.REQUEST, 0, 1, 0x1000),
        Step(Op.MAP, 0, 2, 0x9000, 0xA000),
        Step(Op.REQUEST, 0, 3, 0x2000),
    ]
    assert [isinstance(item, list) for item in items(steps, 16)] == [True, False, True]


def test_reported_groups_stay_as_they_are() -> None:
    steps = [
        Step(Op.REQUEST, 0, line, page << 12, group)
        for line, (page, group) in enumerate([(1, 1), (2, 2), (9, 1), (3, 2), (9, 1)])
    ]
    groups = [[s.line for s in item] for item in items(steps, 2) if isinstance(item, list)]
    assert groups == [[0, 2, 4], [1, 3]]


def test_devices_of() -> None:
    assert [devices_of(p, 3, 8) for p in range(3)] == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert [devices_of(p, 5, 2) for p in range(5)] == [[0], [1], [0], [1], [0]]


def test_programs_of_a_small_plan() -> None:
    steps = [
        Step(Op.MAP, 1, 1, 0x1000, 0x5000, arg=3),
        Step(Op.REQUEST, 2, 2, 0x1000, flags=3),
        Step(Op.REQUEST, 3, 3, 0x2000, flags=1),
        Step(Op.MAP, 4, 4, 0x8000, 0x9000, arg=1),
        Step(Op.UNMAP, 5, 5, 0x1000, 0x2000),
        Step(Op.PROTECT, 6, 6, 0x2000, 0x3000, arg=1),
    ]
    mms = [
        MmPlan(0, Op.NEW_MM, 0, 0, Op.EXEC, 7, 7, steps),
        MmPlan(1, Op.EXEC, 7, 7, Op.EXIT, 9, 9),
    ]
    plan = TracePlan(["x"], [TenantPlan(0, 0, 1, "t", None, mms)])
    programs = build_programs(plan, 2)
    names = [(Op(r.op).name, r.arg, r.a) for r in unpack(programs.tenants[0])]
    assert names == [
        ("NEW_MM", 0, 0),
        ("BIND", 0, 0),
        ("MAP", 3, 0x1000),
        ("MAP", 1, 0x8000),
        ("GATE", 0, 1),
        ("UNMAP", 0, 0x1000),
        ("PROTECT", 1, 0x2000),
        ("UNBIND", 0, 0),
        ("EXEC", 0, 0),
        ("BIND", 0, 0),
        ("UNBIND", 0, 0),
        ("EXIT", 0, 0),
    ]
    assert unpack(programs.devices[0]) == [
        Record(Op.REQUEST, Flag.READ | Flag.WRITE, 0, 2, 0x1000, 3, 2),
        Record(Op.REQUEST, Flag.READ | Flag.LAST, 0, 3, 0x2000, 3, 3),
    ]
    assert programs.devices[1] == b""
    assert (programs.pages_by_tenant, programs.regions_by_tenant) == ([2], [1])
    assert (programs.group_sizes, programs.binds, programs.mms) == ({2: 1}, 2, 2)


def test_footprint_includes_inherited_and_moved_pages() -> None:
    parent = MmPlan(0, Op.NEW_MM, 0, 0, Op.EXIT, 9, 9)
    parent.steps += [
        Step(Op.REQUEST, 1, 1, 0x1000, flags=1),
        Step(Op.MREMAP, 2, 2, 0x1000, 0x2000, 0x40000000, 0x40002000),
        Step(Op.FORK, 3, 3, arg=1),
        Step(Op.REQUEST, 4, 4, 0x80000000, flags=1),
    ]
    child = MmPlan(1, Op.WAIT_FORK, 3, 3, Op.EXIT, 9, 9)
    plan = TracePlan(["x"])
    plan.tenants = [
        TenantPlan(0, 0, 1, "p", None, [parent]),
        TenantPlan(1, 0, 2, "c", 0, [child]),
    ]
    programs = build_programs(plan, 1)
    assert programs.pages_by_tenant == [3, 1], "the child has the page where it was moved to"
    assert programs.regions_by_tenant == [3, 1]
