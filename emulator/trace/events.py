# SPDX-License-Identifier: MIT
"""The events of a trace.

Every event starts with ``comm`` (name of the task), ``pid`` (of the task, that is, of the thread),
``cpu`` and ``t_ns`` (nanoseconds on the clock of the trace; -1 if the line has no time).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from iopf.emulator.trace.program import Flag

ERROR_PRESENT = 1
ERROR_WRITE = 2
ERROR_USER = 4
ERROR_FETCH = 16
U64_END = 1 << 64


class Fault(NamedTuple):
    """A CPU page fault; ``error_code`` has the bits of x86 (1 present, 2 write, 4 user, 16 fetch).

    ``kernel`` tells whether the kernel's own access faulted.
    """

    comm: str
    pid: int
    cpu: int
    t_ns: int
    address: int
    error_code: int
    kernel: bool


class Syscall(NamedTuple):
    """Entry of a system call, with its arguments by name."""

    comm: str
    pid: int
    cpu: int
    t_ns: int
    name: str
    args: dict[str, int]


class SyscallReturn(NamedTuple):
    """Return of a system call; ``value`` is the 64-bit pattern of the result."""

    comm: str
    pid: int
    cpu: int
    t_ns: int
    name: str
    value: int

    @property
    def failed(self) -> bool:
        """Tell whether the value is an error: -4095 to -1."""
        return self.value > U64_END - 4096


class Fork(NamedTuple):
    """A process or thread was created."""

    comm: str
    pid: int
    cpu: int
    t_ns: int
    parent_pid: int
    child_pid: int
    child_comm: str


class Exec(NamedTuple):
    """A program was executed; ``old_pid`` differs from ``new_pid`` if a thread did it."""

    comm: str
    pid: int
    cpu: int
    t_ns: int
    filename: str
    new_pid: int
    old_pid: int


class Exit(NamedTuple):
    """A task exits; ``group_dead`` is None on kernels that do not print it."""

    comm: str
    pid: int
    cpu: int
    t_ns: int
    exit_pid: int
    group_dead: bool | None


class ExitGroup(NamedTuple):
    """Entry of exit_group(2), which does not return."""

    comm: str
    pid: int
    cpu: int
    t_ns: int


class ExitMmap(NamedTuple):
    """The last user of an address space has gone, by exit or by exec."""

    comm: str
    pid: int
    cpu: int
    t_ns: int


class PrqReport(NamedTuple):
    """A page request of a device; ``address`` is in bytes; ``t_ns`` is -1 without a time."""

    comm: str
    pid: int
    cpu: int
    t_ns: int
    device: str
    rid: int
    address: int
    flags: Flag
    pasid: int
    prgi: int


class Unknown(NamedTuple):
    """An event this package does not use."""

    comm: str
    pid: int
    cpu: int
    t_ns: int
    name: str


Event: TypeAlias = (
    Fault
    | Syscall
    | SyscallReturn
    | Fork
    | Exec
    | Exit
    | ExitGroup
    | ExitMmap
    | PrqReport
    | Unknown
)
