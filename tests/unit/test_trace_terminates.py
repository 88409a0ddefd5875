# SPDX-License-Identifier: MIT
"""Every run of the programs of a trace terminates, whatever the order of its processes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iopf.emulator.trace.address_space import AddressSpace, Step
from iopf.emulator.trace.collect import KERNEL_ADDRESS
from iopf.emulator.trace.implicit import MmPlan
from iopf.emulator.trace.plan import TenantPlan, TracePlan, build_plan
from iopf.emulator.trace.program import (
    Flag,
    Op,
    unpack,
)
from iopf.emulator.trace.replay import Programs, build_programs
from iopf.emulator.trace.source import open_trace


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
