# SPDX-License-Identifier: MIT
"""Every form of a line."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iopf.emulator.trace.events import (
    Event,
    Exec,
    Exit,
    ExitGroup,
    ExitMmap,
    Fault,
    Fork,
    PrqReport,
    Syscall,
    SyscallReturn,
    Unknown,
)
from iopf.emulator.trace.ftrace import LOST, MalformedLine, parse_line
from iopf.emulator.trace.program import Flag

HEAD = "             gcc-995     [001] d....  5637.505402: "
FAULT = "page_fault_user: address=0x7f4b79aa7280 ip=0x7f4b797aba17 error_code=0x7"


def parse(body: str) -> Event:
    event = parse_line(HEAD + body)
    assert event is not None
    assert event[:4] == ("gcc", 995, 1, 5637_505_402_000)
    return event


def test_fault() -> None:
    assert parse(FAULT) == Fault("gcc", 995, 1, 5637505402000, 0x7F4B79AA7280, 7, False)
    kernel = parse("page_fault_kernel: address=0x53d108 ip=elf_load error_code=0x2")
    assert kernel[4:] == (0x53D108, 2, True)
    assert parse("exceptions:" + FAULT) == parse(FAULT)


@pytest.mark.parametrize(
    "comm", ["kworker/u8:1-ev", "a b", "x-12 [3] y", "Web Content", "<idle>", "-", "a-1-2", "é"]
)
def test_comm_may_contain_anything(comm: str) -> None:
    event = parse_line(f"{comm:>16}-7 [000] ..... 1.000002: {FAULT}")
    assert event is not None
    assert event[:4] == (comm, 7, 0, 1_000_002_000)


@pytest.mark.parametrize(
    "line",
    [
        f"sh-7 [000] 1.000002: {FAULT}",
        f"sh-7 [000] d..1 1.000002000: {FAULT}",
        f"sh-7 (   7) [000] d..1. 1.000002: {FAULT}",
        f"sh-7 (-------) [000] d..1. 1.000002: {FAULT}",
        f"sh  7 [000]     1.000002:   exceptions:{FAULT}",
        f"sh-7 0d... 1000002us : {FAULT}",
        "sh 7 [000] 1.000002: exceptions:page_fault_user: user page fault, "
        "address=0x7f4b79aa7280 epc=0x5555 cause=0xf",
    ],
)
def test_other_prefixes(line: str) -> None:
    event = parse_line(line)
    assert isinstance(event, Fault)
    assert event[:4] == ("sh", 7, 0, 1_000_002_000)
    assert event.address == 0x7F4B79AA7280
    assert event.error_code & 6 == 6


def test_system_calls() -> None:
    call = parse("sys_mmap(addr: 0, len: 0x2000, prot: 3, flags: 0x22, fd: 0xffffffff, off: 0)")
    assert isinstance(call, Syscall)
    assert (call.name, call.args["len"], call.args["flags"], call.args["prot"]) == (
        "mmap",
        0x2000,
        0x22,
        3,
    )
    back = parse("sys_mmap -> 0x7f1130e88000")
    assert isinstance(back, SyscallReturn)
    assert (back.name, back.value, back.failed) == ("mmap", 0x7F1130E88000, False)
    for text in ("0xfffffffffffffffe", "-12", "-0x2"):
        failed = parse(f"sys_execve -> {text}")
        assert isinstance(failed, SyscallReturn)
        assert failed.failed
    assert isinstance(parse("sys_exit_group(error_code: 0)"), ExitGroup)
    quoted = parse('sys_execve(filename: 0x7f0 "/bin/a b", argv: 0x1, envp: 0x2)')
    assert isinstance(quoted, Syscall)
    assert quoted.args == {"filename": 0x7F0, "argv": 1, "envp": 2}


def test_life_of_tasks() -> None:
    fork = parse("sched_process_fork: comm=a b pid=995 child_comm=c pid=4 child_pid=996")
    assert isinstance(fork, Fork)
    assert fork[4:] == (995, 996, "c pid=4")
    run = parse("sched_process_exec: filename=/usr/bin/g c pid=995 old_pid=990")
    assert isinstance(run, Exec)
    assert run[4:] == ("/usr/bin/g c", 995, 990)
    for tail, dead in ((" group_dead=true", True), (" group_dead=false", False), ("", None)):
        left = parse(f"sched_process_exit: comm=python3 pid=1044 prio=-2{tail}")
        assert isinstance(left, Exit)
        assert left[4:] == (1044, dead)
    assert isinstance(parse("exit_mmap: mt_mod 00000000faf10753, DESTROY"), ExitMmap)


def test_unknown_events_have_their_name() -> None:
    for body, name in (
        ("sched_switch: prev_comm=a", "sched_switch"),
        ("sys_openat(dfd: 3)", "sys_openat"),
        ("sys_openat -> 0x3", "sys_openat"),
        ("sched_process_wait: comm=a", "sched_process_wait"),
        ("page_fault_retry: x", "page_fault_retry"),
    ):
        event = parse(body)
        assert isinstance(event, Unknown)
        assert event.name == name


def test_lines_without_event() -> None:
    for line in ("", "   ", "# tracer: nop", "  #  | comment"):
        assert parse_line(line) is None
    lost = parse_line("CPU:1 [LOST 17 EVENTS]")
    assert isinstance(lost, Unknown)
    assert lost.name == LOST


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "gcc-995 [000] d.... 5637: " + FAULT,
        "gcc-995 [000] d.... 5637.5: " + FAULT,
        "gcc-995 [000] d.... 9999999999.000000: " + FAULT,
        "gcc-995 [000] d.... 99999999999.000000: " + FAULT,
        "gcc-x [000] d.... 5637.505402: " + FAULT,
        HEAD + "???",
        HEAD + "page_fault_user: address=0x7f4b79aa7280 ip=0x7f4b797aba17 error_code=",
        HEAD + "page_fault_user: address=zz ip=0x1 error_code=0x4",
        HEAD + "page_fault_user: address=0x11112222333344445 ip=0x1 error_code=0x4",
        HEAD + "page_fault_user: user page fault, address=0x1 epc=0x1 cause=0x5",
        HEAD + "sys_mmap(addr: 0, len: 0x20",
        HEAD + "sys_mmap(addr: 0, len: )",
        HEAD + "sys_munmap -> ?",
        HEAD + "sched_process_fork: comm=gcc pid=995",
        HEAD + "sched_process_exit: comm=gcc pid=995 prio=120 group_dead=maybe",
        HEAD + "sched_process_exec: filename=/bin/x",
        "prq_report: dmar0/0000:00:0a.0 seq# 1: rid=0x50 addr=0x5 rwz-- pasid=0x2 index=0x1",
        "prq_report: dmar0/x seq# 1: rid=0x50 addr=0xffffffffffffff r---- pasid=0x2 index=0x1",
    ],
)
def test_malformed(line: str) -> None:
    with pytest.raises(MalformedLine):
        parse_line(line)


@pytest.mark.parametrize(
    "body",
    [
        "sched_process_exit: comm=a pid={} prio=120",
        "sched_process_exit: comm=a pid=1 prio={}",
        "sched_process_fork: comm=a pid={} child_comm=b child_pid=2",
        "sched_process_fork: comm=a pid=2 child_comm=b child_pid={}",
        "sched_process_exec: filename=/x pid={} old_pid=1",
        "sched_process_exec: filename=/x pid=1 old_pid={}",
        "sys_brk(brk: {})",
        "sys_brk -> {}",
        "{}: x",
    ],
)
def test_a_number_of_thousands_of_digits_is_malformed(body: str) -> None:
    """Python's int() refuses it with another exception."""
    with pytest.raises(MalformedLine):
        parse_line(HEAD + body.format("1" * 5000))
    with pytest.raises(MalformedLine):
        parse_line(f"a-{'1' * 5000} [000] d.... 1.000001: {FAULT}")


def nasty(piece: str, before: str = "", after: str = "") -> str:
    """A line as long as a line may be, of one piece again and again."""
    return HEAD + before + piece * (60_000 // len(piece)) + after


def test_the_time_to_parse_is_linear_in_the_line() -> None:
    """Each takes minutes when two repetitions of a pattern can match the same text."""
    lines = [
        nasty(" pid=1 child_comm=", "sched_process_fork: comm="),
        nasty(" pid=1 child_comm= child_pid=1", "sched_process_fork: comm=", "x"),
        nasty(" pid=1 old_pid=1", "sched_process_exec: filename=", "x"),
        nasty(" pid=1 prio=1 group_dead=", "sched_process_exit: comm="),
        nasty("a", "sys_mmap(", ")"),
        nasty(")  ", "sys_mmap(", "x"),
        nasty("a: 1 ", "sys_mmap(", "x)"),
        nasty(" ", "page_fault_user:", "x"),
        nasty("ip=1 error_code=", "page_fault_user: address=0x1 "),
        nasty("a seq# ", "prq_report: "),
        nasty("a."),
        "a" + " " * 60_000 + "1",
        "a-1 " * 15_000,
        "1/ " * 20_000,
        " " * 60_000 + "-1 [",
        "cpus=" + "1" * 60_000 + "x",
    ]
    before = time.process_time()
    for line in lines:
        with contextlib.suppress(MalformedLine):
            parse_line(line)
    assert time.process_time() - before < 5


def test_the_layout_of_trace_cmd_report() -> None:
    for head in ("cpus=4", "version = 6", "CPU 3 is empty"):
        assert parse_line(head) is None
    lost = parse_line("CPU:2 [5 EVENTS DROPPED]")
    assert isinstance(lost, Unknown)
    plain = "          loader-2071  [002]  3310.417250: "
    for head in (plain, plain.replace("[002]", "[002] d..1.")):
        for body in (
            FAULT,
            "sys_brk -> 0x1",
            "sched_process_exec: filename=/usr/bin/g pid=995 old_pid=990",
            "prq_report: dmar2/x seq# 1: rid=0x70 addr=0x7f6 rw--l pasid=0x4 index=0x9",
            "exit_mmap: mt_mod 00000000faf10753, DESTROY",
        ):
            name, colon, rest = body.partition(": ")
            padded = f"{name + ':':<22}{rest}" if colon else body
            event, usual = parse_line(head + padded), parse_line(HEAD + body)
            assert event is not None
            assert usual is not None
            assert (type(event), event[4:]) == (type(usual), usual[4:])


def test_system_calls_of_trace_cmd_and_perf() -> None:
    call = parse("sys_enter_mmap:        addr: 0x0, len: 0x2000, prot: 0x3, flags: 0x22, off: 0x0")
    assert isinstance(call, Syscall)
    assert (call.name, call.args["len"], call.args["prot"]) == ("mmap", 0x2000, 3)
    back = parse("syscalls:sys_exit_mmap: 0x7f1130e88000")
    assert isinstance(back, SyscallReturn)
    assert (back.name, back.value) == ("mmap", 0x7F1130E88000)
    assert isinstance(parse("sys_enter_exit_group: error_code: 0x0"), ExitGroup)
    assert isinstance(parse("sys_exit_openat: 0x3"), Unknown)
    assert isinstance(parse("sys_enter_openat: dfd: 0x3"), Unknown)
    with pytest.raises(MalformedLine):
        parse("sys_exit_mmap: ?")
    with pytest.raises(MalformedLine, match="no readable argument 'len'"):
        parse("sys_enter_munmap: addr: 0x1")


names = st.text(st.characters(exclude_characters="\n"), max_size=20)


@given(names, names, st.integers(0, 2**31), st.integers(0, 2**31))
def test_a_task_may_have_any_name(comm: str, child: str, one: int, two: int) -> None:
    fork = parse(f"sched_process_fork: comm={comm} pid={one} child_comm={child} child_pid={two}")
    if not any(field in child for field in (" pid=", " child_comm=", " child_pid=")):
        assert isinstance(fork, Fork)
        assert fork[4:] == (one, two, child)
    left = parse(f"sched_process_exit: comm={comm} pid={one} prio=120 group_dead=true")
    assert isinstance(left, Exit)
    assert left[4:] == (one, True)
    run = parse(f"sched_process_exec: filename=/{child} pid={one} old_pid={two}")
    assert isinstance(run, Exec)
    assert run[4:] == (f"/{child}", one, two)


def test_prq_report() -> None:
    text = "prq_report: dmar0/0000:00:0a.0 seq# 2: rid=0x50 addr=0x559ef6f9c rw--l pasid=0x2 "
    bare = parse_line(text + "index=0x1")
    assert isinstance(bare, PrqReport)
    assert bare.t_ns == -1
    assert bare[4:] == (
        "dmar0/0000:00:0a.0",
        0x50,
        0x559EF6F9C000,
        Flag.READ | Flag.WRITE | Flag.LAST,
        2,
        1,
    )
    full = parse(text.replace("rw--l", "r-xp-") + "index=0x1ff private=0x1/0xdeadbeef")
    assert isinstance(full, PrqReport)
    assert (full.flags, full.prgi) == (Flag.READ | Flag.EXEC | Flag.PRIV, 0x1FF)


@given(st.text(max_size=200))
def test_any_text_parses_or_is_malformed(text: str) -> None:
    for line in (text, HEAD + text, HEAD + "sys_mmap(" + text + ")"):
        with contextlib.suppress(MalformedLine):
            parse_line(line)
