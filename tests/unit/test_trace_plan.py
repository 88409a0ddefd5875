# SPDX-License-Identifier: MIT
"""From whole traces to plans: counts, processes, threads, and lines that cannot be planned."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iopf.emulator.spec.program import FLAG_LAST, FLAG_OPEN, FLAG_RID
from iopf.emulator.trace.collect import FOREIGN_EXIT_MMAP
from iopf.emulator.trace.plan import MALFORMED, Limits, build_plan, summary_lines
from iopf.emulator.trace.program import Op, unpack
from iopf.emulator.trace.replay import build_programs
from iopf.emulator.trace.source import DATA_DIR, TRUNCATED, TraceError
from iopf.emulator.trace.syscalls import BAD_RANGE, NO_ENTRY, NO_RETURN

from tests.support.trace_text import (
    Planner,
    call,
    execute,
    exit_mmap,
    fault,
    fork,
    leave,
    line,
    mmap,
    planner,
    shape,
)

PRQ = """\
prq_report: dmar0/0000:00:0a.0 seq# 1: rid=0x50 addr=0x559ef6f97 r---- pasid=0x2 index=0x1
prq_report: dmar0/0000:00:0a.0 seq# 2: rid=0x50 addr=0x559ef6f9c rw--l pasid=0x2 index=0x1
prq_report: dmar0/0000:00:0a.0 seq# 3: rid=0x50 addr=0x559ef6f98 r---- pasid=0x2 index=0x1
prq_report: dmar0/0000:00:0a.0 seq# 4: rid=0x50 addr=0x559ef6f9d rw--l pasid=0x2 index=0x1
prq_report: dmar0/0000:00:0a.0 seq# 5: rid=0x50 addr=0x559ef6f99 r---- pasid=0x2 index=0x1
prq_report: dmar0/0000:00:0a.0 seq# 6: rid=0x50 addr=0x559ef6f9e rw--l pasid=0x2 index=0x1
prq_report: dmar0/0000:00:0a.0 seq# 7: rid=0x50 addr=0x559ef6f9a r---- pasid=0x2 index=0x1
prq_report: dmar0/0000:00:0a.0 seq# 8: rid=0x50 addr=0x559ef6f9f rw--l pasid=0x2 index=0x1
"""


@pytest.fixture
def plan_of(tmp_path: Path) -> Planner:
    return planner(tmp_path)


@pytest.mark.parametrize(
    ("name", "counts", "tenants"),
    [
        ("gcc-compile", (2715, 2332, 288, 1691, 353, 68), [(995, 2), (996, 2), (997, 2)]),
        ("sqlite-index", (1703, 1440, 89, 1254, 97, 29), [(1093, 2), (1094, 2), (1095, 2)]),
        ("python-sort", (20007, 19148, 275, 18665, 208, 16), [(1043, 2)]),
    ],
)
def test_shipped_traces(name: str, counts: tuple[int, ...], tenants: list[tuple[int, int]]) -> None:
    plan = build_plan([name])
    assert counts == (
        plan.lines,
        plan.faults,
        plan.faults_read,
        plan.faults_write,
        plan.faults_exec,
        plan.implicit_mappings,
    )
    assert plan.requests == plan.faults
    assert plan.skipped == {}
    assert plan.forbidden_faults == 0
    assert plan.clock_steps_back == 0
    assert [(tenant.pid, len(tenant.mms)) for tenant in plan.tenants] == tenants
    assert plan.threads == (name == "python-sort")
    for tenant in plan.tenants:
        ops = list(tenant.ops())
        assert [op.line for op in ops] == sorted(op.line for op in ops)
        assert ops[-1].op is Op.EXIT
    assert len(summary_lines(plan)) <= 12


def test_kernel_faults_inside_exec_belong_to_the_new_address_space() -> None:
    plan = build_plan(["gcc-compile"])
    child = plan.tenants[1]
    assert [step.op for step in child.mms[0].steps] == []
    assert 0x23CC000 in [step.a for step in child.mms[1].steps if step.op is Op.REQUEST]
    assert min(step.line for step in child.mms[1].steps) == 259


def test_several_traces_start_together() -> None:
    plan = build_plan(["sqlite-index", "gcc-compile"])
    assert plan.requests == 1440 + 2332
    assert [tenant.trace for tenant in plan.tenants] == [0, 0, 0, 1, 1, 1]
    assert [tenant.parent for tenant in plan.tenants] == [None, 0, 0, None, 3, 3]
    assert [t.mms[0].start_t_ns for t in plan.tenants if t.parent is None] == [0, 0]
    assert plan.duration_ns == 280_882_000


def test_fork_exec_exit(plan_of: Planner) -> None:
    plan = plan_of(
        mmap(1, 0, 0x10000, 0x2000)
        + fork(2, 1, 2)
        + fault(2, 3, 0x10000, 7)
        + call(1, 4, "munmap", 0, addr=0x10000, len=0x2000)
        + execute(2, 6)
        + fault(2, 9, 0x10000, 4)
        + leave(2, 10)
        + exit_mmap(2, 11)
        + fault(1, 12, 0x50000, 6)
    )
    assert [shape(tenant) for tenant in plan.tenants] == [
        ["NEW_MM", "~MAP 50-51 3", "MAP 10-12 3", "FORK", "UNMAP 10-12", "50?3", "EXIT"],
        ["WAIT_FORK", "10?3", "EXEC", "~MAP 10-11 1", "10?1", "EXIT"],
    ]
    parent, child = plan.tenants
    assert child.parent == 0
    assert next(step for step in parent.ops() if step.op is Op.FORK).arg == child.index
    assert (plan.mms, plan.implicit_mappings) == (3, 2)
    assert list(child.ops())[-1].t_ns == 11_000


def test_child_inherits_implicit_mappings(plan_of: Planner) -> None:
    plan = plan_of(fault(1, 0, 0x400000) + fork(1, 1, 2) + fault(2, 2, 0x400000, 7) + leave(2, 3))
    assert shape(plan.tenants[1]) == ["WAIT_FORK", "400?3", "EXIT"]


def test_exec_without_exit_mmap_changes_at_the_first_kernel_write(plan_of: Planner) -> None:
    plan = plan_of(
        fault(1, 0, 0x400000)
        + line(1, 1, "sys_execve(filename: 0x1, argv: 0x2, envp: 0x3)")
        + fault(1, 2, 0x401000, 0, "kernel")
        + fault(1, 3, 0x700000, 2, "kernel")
        + line(1, 4, "sched_process_exec: filename=/bin/x pid=1 old_pid=1")
        + line(1, 5, "sys_execve -> 0x0")
    )
    assert shape(plan.tenants[0]) == [
        *["NEW_MM", "~MAP 400-402 3", "400?3", "401?1", "EXEC", "~MAP 700-701 3", "700?3", "EXIT"]
    ]


@pytest.mark.parametrize(
    "end", [leave(2, 5, "false"), "", line(2, 5, "sched_process_exit: comm=t pid=2 prio=120")]
)
def test_threads_fault_in_their_parents_mappings(plan_of: Planner, end: str) -> None:
    text = fault(1, 0, 0x10000) + fork(1, 1, 2) + fault(2, 2, 0x11000) + end
    plan = plan_of(text + leave(1, 8) + exit_mmap(1, 9))
    assert (plan.processes, plan.threads) == (1, 1)
    assert shape(plan.tenants[0]) == ["NEW_MM", "~MAP 10-12 3", "10?3", "11?3", "EXIT"]


def test_last_thread_closes_the_group_of_a_leader_that_left(plan_of: Planner) -> None:
    plan = plan_of(
        fault(1, 0, 0x10000)
        + fork(1, 1, 2)
        + leave(1, 3, "false")
        + fault(2, 4, 0x10000)
        + leave(2, 5)
        + exit_mmap(2, 6)
    )
    assert (plan.processes, plan.threads, plan.skipped) == (1, 1, {})


def test_exec_by_a_thread(plan_of: Planner) -> None:
    plan = plan_of(
        fault(1, 0, 0x10000)
        + fork(1, 1, 2)
        + line(2, 2, "sys_execve(filename: 0x1, argv: 0x2, envp: 0x3)")
        + line(1, 3, "sched_process_exec: filename=/bin/x pid=1 old_pid=2")
        + line(1, 4, "sys_execve -> 0x0")
        + fault(1, 5, 0x20000)
    )
    assert (plan.processes, plan.mms, plan.skipped) == (1, 2, {})


def test_pid_used_again_is_another_tenant(plan_of: Planner) -> None:
    text = ""
    for start in (0, 10):
        text += fork(start, 1, 2) + fault(2, start + 1, 0x10000)
        text += leave(2, start + 2) + exit_mmap(2, start + 3)
    assert [tenant.pid for tenant in plan_of(text).tenants] == [1, 2, 2]


def test_calls_and_returns_that_do_not_pair(plan_of: Planner) -> None:
    plan = plan_of(
        line(1, 0, "sys_mmap -> 0x10000")
        + line(1, 1, "sys_munmap(addr: 0x1000, len: 0x1000)")
        + line(1, 2, "sys_munmap(addr: 0x1000, len: 0x1000)")
        + line(1, 3, "sys_brk -> 0x1000")
        + line(1, 4, "sys_brk(brk: 0)")
        + fault(1, 5, 0x10000)
        + exit_mmap(1, 6)
        + call(1, 7, "munmap", 0, addr=(1 << 63) - 4096, len=0x2000)
    )
    counts = {reason: skip.count for reason, skip in plan.skipped.items()}
    assert counts == {NO_ENTRY: 2, NO_RETURN: 3, FOREIGN_EXIT_MMAP: 1, BAD_RANGE: 1}


def test_malformed_line_names_file_and_line(plan_of: Planner, tmp_path: Path) -> None:
    text = "# tracer: nop\n\n" + fault(1, 0, 0x1000) + "oops\n" + line(1, 1, "sched_switch: x")
    with pytest.raises(TraceError) as caught:
        plan_of(text)
    assert str(caught.value).startswith(f"{tmp_path}/trace0:4: ")
    plan = plan_of(text + "oops\n" * 4, lenient=True)
    assert (plan.skipped[MALFORMED].count, plan.skipped[MALFORMED].lines) == (5, [4, 6, 7])
    assert plan.skipped["event sched_switch"].count == 1
    assert plan.requests == 1
    assert any("malformed" in text for text in summary_lines(plan))


def test_truncated_trace_is_planned_when_lenient(tmp_path: Path) -> None:
    path = tmp_path / "cut.xz"
    path.write_bytes((DATA_DIR / "sqlite-index.ftrace.xz").read_bytes()[:7000])
    with pytest.raises(TraceError, match="ends early after"):
        build_plan([str(path)])
    plan = build_plan([str(path)], lenient=True)
    assert plan.skipped[TRUNCATED].count == 1
    assert 0 < plan.faults == plan.requests < 1440


def test_trace_with_nothing_to_replay(plan_of: Planner) -> None:
    with pytest.raises(TraceError, match="has no event that can be replayed"):
        plan_of("# tracer: nop\n" + line(1, 0, "sched_switch: x"))


def test_clock_is_made_monotonic(plan_of: Planner) -> None:
    plan = plan_of(fault(1, 5, 0x1000) + fault(1, 3, 0x2000) + fault(1, 9, 0x3000))
    times = [step.t_ns for step in plan.tenants[0].mms[0].steps if step.op is Op.REQUEST]
    assert times == [0, 0, 4000]
    assert plan.clock_steps_back == 1


def test_prq_report_sample(plan_of: Planner) -> None:
    plan = plan_of(PRQ)
    (tenant,) = plan.tenants
    assert (tenant.pid, plan.prq_requests, plan.requests) == (2, 8, 8)
    assert shape(tenant)[:4] == [
        "NEW_MM",
        "~MAP 559ef6f97-559ef6fa0 3",
        "559ef6f97?1",
        "559ef6f9c?3",
    ]
    groups = [step.b for step in tenant.mms[0].steps if step.op is Op.REQUEST]
    assert groups == [1, 1, 2, 2, 3, 3, 4, 4]
    assert len(summary_lines(plan)) <= 12


def test_a_group_without_its_last_request_is_kept_open(plan_of: Planner) -> None:
    plan = plan_of(PRQ.rsplit("\n", 2)[0] + "\n")
    assert (plan.open_groups, plan.requests, plan.skipped) == (1, 7, {})
    programs = build_programs(plan, 1)
    ends = [r.flags & (FLAG_LAST | FLAG_OPEN) for r in unpack(programs.devices[0])]
    assert [flag for flag in ends if flag] == [FLAG_LAST] * 3 + [FLAG_OPEN]
    gates = [r.a for r in unpack(programs.tenants[0]) if r.op == Op.GATE]
    assert gates == [3]
    (need,) = programs.needs
    assert (need.largest[0], need.open_groups, need.open_requests, need.credits) == (2, 1, 1, 3)


def test_requests_without_pasid_have_a_tenant_per_requester_that_maps_nothing(
    plan_of: Planner,
) -> None:
    plan = plan_of(PRQ.replace("pasid=0x2", "pasid=0x0") + PRQ.replace("rid=0x50", "rid=0x58"))
    assert [tenant.comm for tenant in plan.tenants] == ["rid 0x50", "pasid 0x2"]
    assert "MAP" not in " ".join(shape(plan.tenants[0]))
    assert plan.implicit_mappings == 1
    records = unpack(build_programs(plan, 1).devices[0])
    assert [bool(r.flags & FLAG_RID) for r in records] == [True] * 8 + [False] * 8


def test_the_limits_are_those_of_all_traces_together(plan_of: Planner, tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("".join(fault(pid, pid, 0x7000) for pid in range(1, 9)))
    name = str(path)
    told: list[str] = []
    assert build_plan([name], limits=Limits(8, 8), progress=told.append).processes == 8
    assert told == ["planning 8 requests"]
    with pytest.raises(TraceError, match=r"trace:8: more than 7 events"):
        build_plan([name], limits=Limits(events=7))
    with pytest.raises(TraceError, match=r"trace:8: more than 15 events"):
        build_plan([name, name], limits=Limits(events=15))
    with pytest.raises(TraceError, match=r"trace:5: more than 12 processes and PASIDs"):
        build_plan([name, name], limits=Limits(tenants=12))


def test_nothing_is_mapped_above_the_mappings(plan_of: Planner) -> None:
    """A fault there stays a request; a mapping is impossible and counted."""
    high = 1 << 47
    plan = plan_of(
        fault(1, 1, high)
        + fault(1, 2, 0x7000)
        + fault(1, 3, (1 << 63) - 1)
        + mmap(1, 4, high, 4096)
    )
    assert shape(plan.tenants[0]) == [
        "NEW_MM",
        "~MAP 7-8 3",
        f"{high >> 12:x}?3",
        "7?3",
        f"{(1 << 51) - 1:x}?3",
        "EXIT",
    ]
    assert (plan.unmapped_faults, plan.requests) == (2, 3)
    assert plan.skipped[BAD_RANGE].count == 1


@given(
    st.lists(st.tuples(st.sampled_from([0, 2, 3]), st.integers(0, 3), st.booleans()), max_size=40)
)
def test_every_recorded_request_is_sent_in_its_group(requests: list[tuple[int, int, bool]]) -> None:
    """Whatever the capture: as many requests as lines, and a group ends at its last request or stays open."""
    text = "".join(
        f"prq_report: dmar0/x seq# {n}: rid=0x50 addr=0x{n + 1:x} r---{'l' if last else '-'} "
        f"pasid=0x{pasid:x} index=0x{index:x}\n"
        for n, (pasid, index, last) in enumerate(requests)
    )
    if not requests:
        return
    with tempfile.TemporaryDirectory() as folder:
        plan = planner(Path(folder))(text)
    records = unpack(build_programs(plan, 1).devices[0])
    assert sorted(r.a >> 12 for r in records) == [n + 1 for n in range(len(requests))]
    assert sum(bool(r.flags & FLAG_LAST) for r in records) == sum(last for *_, last in requests)
    assert sum(bool(r.flags & FLAG_OPEN) for r in records) == plan.open_groups
    assert records[-1].flags & (FLAG_LAST | FLAG_OPEN)
