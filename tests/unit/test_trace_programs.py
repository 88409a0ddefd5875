# SPDX-License-Identifier: MIT
"""Programs: packing, grouping, distribution to devices, and that every run terminates."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iopf.emulator.trace import address_space, replay
from iopf.emulator.trace import plan as plan_module
from iopf.emulator.trace.address_space import AddressSpace, Step, TooMuchWork
from iopf.emulator.trace.collect import KERNEL_ADDRESS
from iopf.emulator.trace.groups import items
from iopf.emulator.trace.implicit import MmPlan
from iopf.emulator.trace.plan import TenantPlan, TracePlan, build_plan
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
from iopf.emulator.trace.replay import Programs, build_programs, devices_of
from iopf.emulator.trace.source import TraceError, open_trace

from tests.support.trace_text import call, fault, fork, leave, mmap, planner

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


class Simulator:
    """Runs programs in random order; answers groups in any order."""

    def __init__(self, programs: Programs, seed: int) -> None:
        self.random = random.Random(seed)
        self.tenants = [unpack(program) for program in programs.tenants]
        self.devices = [unpack(program) for program in programs.devices]
        self.done = [0] * len(self.tenants)
        self.sent = [0] * len(self.devices)
        self.finished = [0] * len(self.tenants)
        self.in_flight: list[int] = []
        self.forked: set[int] = set()
        self.bound: list[set[int]] = [set() for _ in self.tenants]
        self.open_group: list[int | None] = [None] * len(self.devices)

    def step_tenant(self, index: int) -> bool:
        if self.done[index] == len(self.tenants[index]):
            return False
        record = self.tenants[index][self.done[index]]
        if record.op == Op.GATE and self.finished[index] < record.a:
            return False
        if record.op == Op.WAIT_FORK and index not in self.forked:
            return False
        waiting = self.in_flight.count(index)
        if record.op in (Op.UNMAP, Op.PROTECT, Op.ZAP, Op.MREMAP, Op.FORK, Op.EXEC, Op.EXIT):
            assert waiting == 0
        if record.op == Op.FORK:
            self.forked.add(record.arg)
        elif record.op == Op.BIND:
            self.bound[index].add(record.arg)
        elif record.op == Op.UNBIND:
            assert waiting == 0
            self.bound[index].remove(record.arg)
        elif record.op in (Op.EXEC, Op.EXIT):
            assert not self.bound[index]
        self.done[index] += 1
        return True

    def step_device(self, index: int) -> bool:
        if self.sent[index] == len(self.devices[index]):
            return False
        record = self.devices[index][self.sent[index]]
        assert record.op == Op.REQUEST
        if self.done[record.arg] < record.b:
            return False
        assert index in self.bound[record.arg]
        assert self.open_group[index] in (None, record.arg)
        self.sent[index] += 1
        self.open_group[index] = record.arg
        if record.flags & Flag.LAST:
            self.open_group[index] = None
            self.in_flight.append(record.arg)
        return True

    def answer(self) -> bool:
        if not self.in_flight:
            return False
        owner = self.in_flight.pop(self.random.randrange(len(self.in_flight)))
        self.finished[owner] += 1
        return True

    def run(self) -> None:
        actors = [
            *((self.step_tenant, i) for i in range(len(self.tenants))),
            *((self.step_device, i) for i in range(len(self.devices))),
        ]
        while True:
            self.random.shuffle(actors)
            moved = False
            for act, index in actors:
                for _ in range(self.random.randrange(1, 20)):
                    if not act(index):
                        break
                    moved = True
            if self.random.random() < 0.5 or not moved:
                moved |= self.answer()
            if not moved:
                break
        assert self.done == [len(program) for program in self.tenants]
        assert self.sent == [len(program) for program in self.devices]
        assert all(not bound for bound in self.bound)


@st.composite
def plans(draw: st.DrawFn) -> TracePlan:
    """Draw a plan: any sequence of faults, mapping changes, forks, execs, in one trace."""
    plan = TracePlan(["drawn"])

    def tenant(origin: Op, line: int, parent: int | None) -> None:
        index = len(plan.tenants)
        mm = MmPlan(index, origin, line * 10, line, Op.EXIT, 0, 0)
        plan.tenants.append(TenantPlan(index, 0, index, "t", parent, [mm]))

    tenant(Op.NEW_MM, 0, None)
    kinds = st.sampled_from("fffffffffmupzrFEN")
    for line, kind in enumerate(draw(st.lists(kinds, max_size=60)), 1):
        t_ns = line * 10
        owner = plan.tenants[draw(st.integers(0, len(plan.tenants) - 1))]
        mm = owner.mms[-1]
        page = draw(st.integers(1, 6)) << 12
        if kind == "f":
            mm.steps.append(Step(Op.REQUEST, t_ns, line, page, flags=1))
        elif kind == "F":
            mm.steps.append(Step(Op.FORK, t_ns, line, arg=len(plan.tenants)))
            tenant(Op.WAIT_FORK, line, owner.index)
        elif kind == "E":
            mm.end, mm.end_t_ns, mm.end_line = Op.EXEC, t_ns, line
            owner.mms.append(MmPlan(0, Op.EXEC, t_ns, line, Op.EXIT, 0, 0))
        elif kind == "N":
            tenant(Op.NEW_MM, line, None)
        else:
            ops = {"m": Op.MAP, "u": Op.UNMAP, "p": Op.PROTECT, "z": Op.ZAP, "r": Op.MREMAP}
            mm.steps.append(Step(ops[kind], t_ns, line, page, page + 4096, 1 << 20, 1 << 21))
    return plan


@settings(max_examples=150, deadline=None)
@given(plans(), st.integers(1, 7), st.sampled_from([1, 3, 16, 64]), st.integers(0, 999))
def test_every_run_terminates(plan: TracePlan, devices: int, limit: int, seed: int) -> None:
    programs = build_programs(plan, devices, limit)
    Simulator(programs, seed).run()
    requests = [record for program in programs.devices for record in unpack(program)]
    planned = [s.line for t in plan.tenants for s in t.ops() if s.op is Op.REQUEST]
    assert sorted(record.c for record in requests) == sorted(planned)
    assert programs.requests == len(planned)
    assert programs.groups == sum(bool(r.flags & Flag.LAST) for r in requests)
    assert sum(size * n for size, n in programs.group_sizes.items()) == programs.requests


@pytest.mark.parametrize(
    ("names", "devices"),
    [
        (["sqlite-index"], 1),
        (["gcc-compile", "sqlite-index"], 2),
        (["gcc-compile", "sqlite-index"], 9),
    ],
)
def test_real_traces_terminate(names: list[str], devices: int) -> None:
    plan = build_plan(names)
    programs = build_programs(plan, devices)
    Simulator(programs, 1).run()
    assert programs.requests == plan.requests
    assert (programs.mms, len(programs.tenants), len(programs.devices)) == (
        plan.mms,
        plan.processes,
        devices,
    )
    assert max(programs.group_sizes) <= 16


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


def test_pages_moved_to_and_fro_are_counted_once_each(tmp_path: Path) -> None:
    """Each call moves what is there; kept at both places, 40 calls over growing ranges would make 2^40 pages."""
    text, at = fault(1, 1, 0x10000000), 0x10000000
    length = 4096
    for n in range(24):
        to = at + length
        text += call(1, 10 + n, "mremap", to, addr=at, old_len=length, new_len=length, flags=3)
        text += fault(1, 10 + n, at)
        length *= 2
    plan = planner(tmp_path)(text)
    programs = build_programs(plan, 1)
    assert programs.requests == 25
    assert programs.pages_by_tenant[0] < 400


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            lambda: "".join(fault(1, n, n << 21) for n in range(1, 101))
            + "".join(fork(200, 1, 2 + n) + leave(2 + n, 201) for n in range(3)),
            "its forks inherit more than 250 mappings",
        ),
        (
            lambda: "".join(mmap(1, 2 * n, n << 21, 1 << 21) for n in range(1, 51))
            + "".join(call(1, 100 + 2 * n, "madvise", 0, start=1 << 21, len_in=50 << 21, behavior=4)
                      for n in range(30)),
            "its calls go through more than 1000 mappings",
        ),
    ],
)  # fmt: skip
def test_work_that_grows_with_the_square_of_the_events_is_bounded(
    text: Callable[[], str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (address_space, plan_module, replay):
        for name, limit in (("WORK_MAX", 1000), ("INHERITED_MAX", 250)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, limit)
    with pytest.raises(TraceError, match=what):
        planner(tmp_path)(text())


def test_pages_that_forks_and_moves_take_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = "".join(fault(1, n, n << 12) for n in range(1, 101))
    forks = planner(tmp_path)(
        pages + "".join(fork(200, 1, 2 + n) + leave(2 + n, 201) for n in range(3))
    )
    moves = planner(tmp_path)(
        pages
        + "".join(
            call(1, 200 + n, "mremap", (n + 1) << 30, addr=max(n << 30, 4096), old_len=100 << 12,
                 new_len=100 << 12, flags=3)
            for n in range(12)
        )
    )  # fmt: skip
    monkeypatch.setattr(replay, "INHERITED_MAX", 250)
    with pytest.raises(TooMuchWork, match="its forks inherit more than 250 pages"):
        build_programs(forks, 1)
    with pytest.raises(TooMuchWork, match="mremap move more than 250 pages"):
        build_programs(moves, 1)
    monkeypatch.setattr(replay, "INHERITED_MAX", 10**6)
    monkeypatch.setattr(replay, "WORK_MAX", 1000)
    with pytest.raises(TooMuchWork, match="mremap go through more than 1000 pages"):
        build_programs(moves, 1)


@pytest.mark.parametrize(
    ("devices", "limit", "gap", "what"),
    [(0, 16, 0, "devices"), (1, 0, 0, "group_limit"), (1, 65, 0, "group_limit"), (1, 1, -1, "gap")],
)
def test_limits_are_checked(devices: int, limit: int, gap: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        build_programs(TracePlan([]), devices, limit, gap_limit_ns=gap)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 5))
def test_mangled_real_traces_still_terminate(
    tmp_path_factory: pytest.TempPathFactory, seed: int, devices: int
) -> None:
    """Lines lost, doubled, swapped and cut: lenient reading gives a plan that runs to its end."""
    rng = random.Random(seed)
    lines = [text for _, text in open_trace(rng.choice(["gcc-compile", "sqlite-index"]))]
    start = rng.randrange(len(lines) - 400)
    lines = lines[start : start + rng.randrange(50, 1500)]
    for _ in range(rng.randrange(60)):
        one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
        match rng.randrange(4):
            case 0:
                del lines[one : one + rng.randrange(4)]
                lines.append(lines[0])
            case 1:
                lines[one], lines[two] = lines[two], lines[one]
            case 2:
                lines.insert(one, lines[two])
            case _:
                lines[one] = lines[one][: rng.randrange(len(lines[one]) + 1)]
    path = tmp_path_factory.mktemp("mangled") / "trace"
    path.write_text("\n".join(lines))
    plan = build_plan([str(path)], lenient=True)
    kernel_half = plan.skipped.get(KERNEL_ADDRESS)
    assert plan.faults == plan.requests + (kernel_half.count if kernel_half else 0)
    programs = build_programs(plan, devices)
    assert programs.requests == plan.requests
    Simulator(programs, seed).run()
    for tenant in plan.tenants:
        check_strict(tenant)


def check_strict(tenant: TenantPlan) -> None:
    """Check that every fault of a tenant that starts without a parent lies in one of its mappings."""
    for mm in tenant.mms:
        if mm.origin is Op.WAIT_FORK:
            continue
        space = AddressSpace()
        for step in mm.steps:
            if step.op is Op.REQUEST:
                assert space.find(step.a) or space.grow_down(step.a)
            elif step.op in (Op.MAP, Op.MREMAP):
                new = (step.c, step.d) if step.op is Op.MREMAP else (step.a, step.b)
                assert not space.pieces(*new)
                assert new[0] < new[1]
            elif step.op in (Op.PROTECT, Op.ZAP):
                assert not space.holes(step.a, step.b)
            space.apply(step)
