# SPDX-License-Identifier: MIT
"""One line of trace text to one event.

Formats, with their source:

* ftrace text (kernel/trace/trace_output.c): ``COMM-PID [CPU] FLAGS SECONDS.MICROS: EVENT``, where
  COMM may hold spaces and dashes, and a column ``(TGID)`` may follow the PID.
* ``perf script``: ``COMM PID [CPU] SECONDS.MICROS: GROUP:EVENT``.
* ftrace dump on oops: ``COMM-PID CPUFLAGS MICROSus : EVENT``.
* ``trace-cmd report``: a head of ``cpus=N``, then lines like those of ftrace with the name of the
  event padded to a column.
* ``prq_report`` (Intel, Lu Baolu, 20210520031531.712333-8-baolu.lu@linux.intel.com), with or
  without a prefix: ``IOMMU/DEV seq# N: rid=0xH addr=0xH FLAGS pasid=0xH index=0xH``.  Its ``addr``
  is a page frame number, its ``index`` the page request group index (PRGI).
* The same event from ``trace-cmd report`` and ``perf script``: the kernel decodes the descriptor
  with a function that these tools do not have, so they print the fields of the event, ``[FAILED TO
  PARSE] dw0=N dw1=N dw2=N dw3=N seq=N iommu=IOMMU dev=DEV buff=...`` (tep_print_fields of
  libtraceevent). ``dw0`` and ``dw1`` are the descriptor (VT-d 7.4.1).

A system call reads ``sys_NAME(ARG: VALUE, ...)`` and ``sys_NAME -> VALUE`` in ftrace, and
``sys_enter_NAME: ARG: VALUE, ...`` and ``sys_exit_NAME: VALUE`` in trace-cmd and perf.

The time to parse a line is linear in its length, whatever it holds: no pattern has two repetitions
that can match the same text, and every number has a maximum of digits.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from iopf.emulator.trace.events import (
    ERROR_FETCH,
    ERROR_USER,
    ERROR_WRITE,
    U64_END,
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
from iopf.emulator.trace.program import PAGE_SHIFT, Flag

LOST = "CPU [LOST EVENTS]"
"""Name of the line by which ftrace reports an overflow of its ring buffer."""
_TIME_LIMIT_NS = 1 << 62


class MalformedLine(Exception):
    """A line that is not an event, or a known event with invalid arguments."""


_FTRACE = re.compile(
    r" *(\S.{0,31}?)-(\d{1,10}) +(?:\( *[\d-]+\) +)?\[(\d{1,5})\] +"
    r"(?:[^\s:]{3,8} +)?(\d{1,10})\.(\d{6}|\d{9}): +(\S.*)"
)
_PERF = re.compile(
    r" *(\S.{0,31}?) +(?:\d{1,10}/ *)?(\d{1,10}) +\[(\d{1,5})\] +"
    r"(?:[^\s:]{3,8} +)?(\d{1,10})\.(\d{6}|\d{9}): +(\S.*)"
)
_DUMP = re.compile(r" *(\S.{0,31}?)-(\d{1,10}) +(\d{1,5})[^\s\d]\S{2,7} +(\d{1,15})us ?: +(\S.*)")
_GROUP = re.compile(r"(?:exceptions|sched|mmap|syscalls|intel_iommu|iommu):(?=\w)")
_FAULT = re.compile(
    r"page_fault_(user|kernel): address=0x([0-9a-f]{1,16}) ip=\S+ error_code=0x([0-9a-f]{1,8}) *$"
)
_RISCV_FAULT = re.compile(
    r"page_fault_(user|kernel): (?:user|kernel) page fault, "
    r"address=0x([0-9a-f]{1,16}) epc=\S+ cause=0x([0-9a-f]{1,8}) *$"
)
_RISCV_CAUSES = {0xC: ERROR_FETCH, 0xD: 0, 0xF: ERROR_WRITE}
_CALL = re.compile(r"sys_(?:(\w+)\((.*)\) *|enter_(\w+):(.*))$")
_RETURN = re.compile(r"sys_(?:exit_(\w+): |(\w+) -> )(-?(?:0x[0-9a-f]{1,16}|\d{1,20})) *$")
_ARG = re.compile(r"(?<!\w)(\w++): (-?(?:0x[0-9a-f]{1,16}|\d{1,20}))(?:,|$| )")
_PID = re.compile(r"\d{1,10} *")
_EXIT = re.compile(r"(\d{1,10}) prio=-?\d{1,5}(?: group_dead=(true|false))? *")
_PRQ = re.compile(
    r"prq_report: (\S+) seq# *\d+: rid=0x([0-9a-f]{1,8}) addr=0x([0-9a-f]{1,16}) "
    r"([r-])([w-])([x-])([p-])([l-]) pasid=0x([0-9a-f]{1,8}) index=0x([0-9a-f]{1,8})"
    r"(?: private=0x[0-9a-f]{1,16}/0x[0-9a-f]{1,16})? *$"
)
_WORD = r"(0x[0-9a-f]{1,16}|\d{1,20})"
_PRQ_FIELDS = re.compile(
    rf"prq_report: (?:\[FAILED TO PARSE\] )?dw0={_WORD} dw1={_WORD} dw2={_WORD} dw3={_WORD} "
    rf"seq={_WORD} iommu=(\S+) dev=(\S+)(?: |$)"
)
_LOST = re.compile(r"CPU:\d+ \[(?:LOST \d+ EVENTS|\d+ EVENTS DROPPED)\]$")
_NAME = re.compile(r"([A-Za-z_][\w.]{0,99})(?:[:(]| ->| *$)")
_HEAD_OF_REPORT = re.compile(r"(?:cpus=\d+|version = \d+|CPU \d+ is empty)$")

_NEEDED_ARGS = {
    "mmap": ("addr", "len", "prot", "flags"),
    "munmap": ("addr", "len"),
    "mprotect": ("start", "len", "prot"),
    "madvise": ("start", "len_in", "behavior"),
    "mremap": ("addr", "old_len", "new_len", "flags"),
    "brk": ("brk",),
    "execve": (),
}
_Head: TypeAlias = tuple[str, int, int, int]


def parse_line(text: str) -> Event | None:
    """Return the event of a line, or None for a blank line or a comment.

    Raises MalformedLine, whose text says what is wrong.
    """
    match = _FTRACE.match(text)
    if match is None:
        return _parse_unusual(text)
    comm, pid, cpu, seconds, fraction, body = match.groups()
    t_ns = int(seconds) * 1_000_000_000 + int(fraction) * (1000 if len(fraction) == 6 else 1)
    if body.startswith("page_fault_") and t_ns < _TIME_LIMIT_NS:
        fault = _FAULT.match(body)
        if fault is not None:
            side, address, code = fault.groups()
            return Fault(
                comm, int(pid), int(cpu), t_ns, int(address, 16), int(code, 16), side == "kernel"
            )
    return _parse_body((comm, int(pid), int(cpu), t_ns), body)


def _parse_unusual(text: str) -> Event | None:
    """Parse a line without the usual prefix."""
    stripped = text.strip()
    if not stripped or stripped.startswith("#"):
        return None
    if _LOST.match(stripped):
        return Unknown("", 0, 0, -1, LOST)
    if _HEAD_OF_REPORT.match(stripped):
        return None
    if stripped.startswith("prq_report:"):
        return _parse_body(("", 0, 0, -1), stripped)
    match = _PERF.match(text)
    if match is not None:
        comm, pid, cpu, seconds, fraction, body = match.groups()
        t_ns = int(seconds) * 1_000_000_000 + int(fraction) * (1000 if len(fraction) == 6 else 1)
        return _parse_body((comm, int(pid), int(cpu), t_ns), body)
    match = _DUMP.match(text)
    if match is not None:
        comm, pid, cpu, micros, body = match.groups()
        return _parse_body((comm, int(pid), int(cpu), int(micros) * 1000), body)
    raise MalformedLine("line does not have the form COMM-PID [CPU] FLAGS SECONDS.MICROS: EVENT")


def _parse_body(head: _Head, body: str) -> Event:
    if head[3] >= _TIME_LIMIT_NS:
        raise MalformedLine(f"time stamp of {head[3] // 1_000_000_000} s is out of range")
    group = _GROUP.match(body)
    if group is not None:
        body = body[group.end() :].lstrip()
    name, _, rest = body.partition(": ")
    if rest.startswith(" "):  # the column of trace-cmd
        body = f"{name}: {rest.lstrip(' ')}"
    if body.startswith("page_fault_"):
        return _parse_fault(head, body)
    if body.startswith("sys_"):
        return _parse_syscall(head, body)
    if body.startswith("sched_process_"):
        return _parse_sched(head, body)
    if body.startswith("prq_report:"):
        return _parse_prq(head, body)
    if body.startswith("exit_mmap:"):
        return ExitMmap(*head)
    return Unknown(*head, _event_name(body))


def _event_name(body: str) -> str:
    name = _NAME.match(body)
    if name is None:
        raise MalformedLine("no event name after the time stamp")
    return name.group(1)


def _parse_fault(head: _Head, body: str) -> Event:
    match = _FAULT.match(body)
    if match is not None:
        return Fault(*head, int(match[2], 16), int(match[3], 16), match[1] == "kernel")
    match = _RISCV_FAULT.match(body)
    if match is not None and int(match[3], 16) in _RISCV_CAUSES:
        code = _RISCV_CAUSES[int(match[3], 16)] | (ERROR_USER if match[1] == "user" else 0)
        return Fault(*head, int(match[2], 16), code, match[1] == "kernel")
    name = _event_name(body)
    if name not in ("page_fault_user", "page_fault_kernel"):
        return Unknown(*head, name)
    raise MalformedLine(f"{name} needs address=0xHEX ip=… error_code=0xHEX")


def _number(text: str) -> int:
    """Return a printed number as its 64-bit pattern."""
    return int(text, 16 if "0x" in text else 10) % U64_END


def _parse_syscall(head: _Head, body: str) -> Event:
    back = _RETURN.match(body)
    if back is not None:
        called = back[1] or back[2]
        if called not in _NEEDED_ARGS:
            return Unknown(*head, "sys_" + called)
        return SyscallReturn(*head, called, _number(back[3]))
    name = _event_name(body)
    if name in ("sys_exit_group", "sys_enter_exit_group"):
        return ExitGroup(*head)
    called = name[4:].removeprefix("enter_")
    if called.startswith("exit_") and called[5:] in _NEEDED_ARGS:
        raise MalformedLine(f"{name} needs the value that the call returns")
    needed = _NEEDED_ARGS.get(called)
    if needed is None:
        return Unknown(*head, name)
    call = _CALL.match(body)
    if call is None:
        raise MalformedLine(f"{name} is neither a call NAME(ARG: VALUE, …) nor NAME -> VALUE")
    args = {key: _number(value) for key, value in _ARG.findall(call[2] or call[4] or "")}
    for key in needed:
        if key not in args:
            raise MalformedLine(f"{name} has no readable argument {key!r}")
    return Syscall(*head, called, args)


def _parse_sched(head: _Head, body: str) -> Event:
    """A task's name may hold anything, so the fields are taken from the end of the line."""
    name = _event_name(body)
    if name == "sched_process_fork":
        before, _, child = body.rpartition(" child_pid=")
        before, _, child_comm = before.rpartition(" child_comm=")
        comm, _, parent = before.rpartition(" pid=")
        if "comm=" in comm and _PID.fullmatch(parent) and _PID.fullmatch(child):
            return Fork(*head, int(parent), int(child), child_comm)
    elif name == "sched_process_exec":
        before, _, old = body.rpartition(" old_pid=")
        before, _, new = before.rpartition(" pid=")
        _, file, filename = before.partition(" filename=")
        if file and _PID.fullmatch(new) and _PID.fullmatch(old):
            return Exec(*head, filename, int(new), int(old))
    elif name == "sched_process_exit":
        comm, _, rest = body.rpartition(" pid=")
        match = _EXIT.fullmatch(rest)
        if "comm=" in comm and match is not None:
            return Exit(*head, int(match[1]), None if match[2] is None else match[2] == "true")
    else:
        return Unknown(*head, name)
    raise MalformedLine(f"invalid arguments of {name}")


def _parse_prq(head: _Head, body: str) -> PrqReport:
    match = _PRQ.match(body)
    if match is None and (raw := _PRQ_FIELDS.match(body)) is not None:
        return _of_words(head, f"{raw[6]}/{raw[7]}", _number(raw[1]), _number(raw[2]))
    if match is None:
        raise MalformedLine(
            "prq_report needs IOMMU/DEV seq# N: rid=0xHEX addr=0xHEX rwxpl pasid=0xHEX index=0xHEX"
        )
    flags = Flag(0)
    for letter, flag in zip(match.groups()[3:8], Flag, strict=True):
        if letter != "-":
            flags |= flag
    address = int(match[3], 16) << PAGE_SHIFT
    if address >= U64_END:
        raise MalformedLine(f"page frame number 0x{match[3]} is beyond 64-bit addresses")
    return PrqReport(
        *head, match[1], int(match[2], 16), address, flags, int(match[9], 16), int(match[10], 16)
    )


def _of_words(head: _Head, place: str, dw0: int, dw1: int) -> PrqReport:
    """Decode a page request descriptor: requester id, PASID, execute and privileged in the first word; read, write, last, group index
    and page in the second."""
    bits = (dw1, dw1 >> 1, dw0 >> 52, dw0 >> 53, dw1 >> 2)
    flags = Flag(0)
    for bit, flag in zip(bits, Flag, strict=True):
        if bit & 1:
            flags |= flag
    page = dw1 >> PAGE_SHIFT << PAGE_SHIFT
    pasid, prgi = dw0 >> 32 & 0xFFFFF, dw1 >> 3 & 0x1FF
    return PrqReport(*head, place, dw0 >> 16 & 0xFFFF, page, flags, pasid, prgi)
