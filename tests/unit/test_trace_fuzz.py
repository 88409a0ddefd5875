# SPDX-License-Identifier: MIT
"""Random traces with extreme numbers: each becomes programs within the bounds of the machine, or one error."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from iopf.emulator.spec.program import FLAG_LAST, FLAG_OPEN, FLAG_RID
from iopf.emulator.trace.address_space import MAPPING_END, TooMuchWork
from iopf.emulator.trace.plan import TracePlan
from iopf.emulator.trace.program import Op, unpack
from iopf.emulator.trace.replay import Programs, build_programs
from iopf.emulator.trace.source import TraceError

from tests.support.trace_text import call, execute, exit_mmap, fault, fork, leave, planner

SPECIAL = [0, 1, 4095, 4096, 0x7000, (1 << 47) - 4096, 1 << 47, 1 << 56, 1 << 63, (1 << 64) - 1]
numbers = st.one_of(st.sampled_from(SPECIAL), st.integers(0, 64).map(lambda n: n << 12))
pids = st.integers(1, 4)
times = st.integers(0, 50)


def calls(name: str, *args: str) -> st.SearchStrategy[str]:
    return st.builds(
        lambda pid, t, value, given: call(pid, t, name, value, **given),
        pids,
        times,
        numbers,
        st.fixed_dictionaries(dict.fromkeys(args, numbers)),
    )


requests = st.builds(
    lambda address, flags, pasid, rid, index: (
        f"prq_report: dmar0/x seq# 1: rid=0x{rid:x} addr=0x{address >> 12:x} {flags} "
        f"pasid=0x{pasid:x} index=0x{index:x}\n"
    ),
    numbers,
    st.sampled_from(["r----", "rw--l", "-w---", "--x-l", "----l"]),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
)
events = st.one_of(
    st.builds(fault, pids, times, numbers, st.sampled_from([4, 6, 7, 0x14, 0xFFFFFFFF])),
    calls("mmap", "addr", "len", "prot", "flags"),
    calls("munmap", "addr", "len"),
    calls("mprotect", "start", "len", "prot"),
    calls("madvise", "start", "len_in", "behavior"),
    calls("mremap", "addr", "old_len", "new_len", "flags"),
    calls("brk", "brk"),
    st.builds(fork, times, pids, pids),
    st.builds(execute, pids, times),
    st.builds(leave, pids, times, st.sampled_from(["true", "false"])),
    st.builds(exit_mmap, pids, times),
    requests,
)


@example(call(2, 18, "mremap", 0xFFF, addr=0x40000, old_len=4096, new_len=8192, flags=0), 1)
@settings(max_examples=300, deadline=None)
@given(st.lists(events, min_size=1, max_size=30).map("".join), st.integers(1, 3))
def test_any_trace_is_planned_or_refused(text: str, devices: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            plan = planner(Path(folder))(text, lenient=True)
            programs = build_programs(plan, devices)
        except (TraceError, TooMuchWork):
            return
    check(plan, programs)


def check(plan: TracePlan, programs: Programs) -> None:
    """Every request is sent, in a group with an end; a gate waits only for groups that can be answered; mappings can exist."""
    sent = [record for program in programs.devices for record in unpack(program)]
    assert len(sent) == plan.requests == programs.requests
    last, opened = (sum(bool(r.flags & flag) for r in sent) for flag in (FLAG_LAST, FLAG_OPEN))
    assert (last + opened, opened) == (programs.groups, plan.open_groups)
    assert sum(need.open_groups for need in programs.needs) == opened
    answered = dict.fromkeys(range(len(plan.tenants)), 0)
    for record in sent:
        answered[record.arg] += bool(record.flags & FLAG_LAST)
        if record.flags & FLAG_RID:
            assert plan.tenants[record.arg].comm.startswith("rid ")
    for tenant, program in enumerate(programs.tenants):
        for record in unpack(program):
            if record.op in (Op.MAP, Op.UNMAP, Op.PROTECT, Op.ZAP, Op.MREMAP):
                assert not (record.a | record.b | record.c | record.d) & 4095
            if record.op in (Op.MAP, Op.MREMAP):
                assert 0 <= record.a < record.b <= MAPPING_END
                assert record.d <= MAPPING_END
            if record.op == Op.GATE:
                assert record.a <= answered[tenant]
