# SPDX-License-Identifier: MIT
"""From events to tenants, their address spaces, and the raw steps of each.

A *tenant* is a thread group, the owner of an address space.  It has one :class:`RawMm` per program
it executed (plus the one it started with).  The steps are raw: mappings that the trace does not
show are still missing; :mod:`iopf.emulator.trace.implicit` adds them.

``prq_report`` lines make one tenant per PASID; its groups are told by requester id and PRGI and end
with the last flag.  A group without one stays open, as it did in the recording.  PASID 0 is none:
such requests make one tenant per requester id, which binds the device and maps nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from iopf.emulator.spec.program import FLAG_RID
from iopf.emulator.trace.address_space import USER_HALF_END, Step, page_down
from iopf.emulator.trace.events import (
    ERROR_FETCH,
    ERROR_WRITE,
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
from iopf.emulator.trace.program import Flag, Op
from iopf.emulator.trace.source import SkipLog
from iopf.emulator.trace.syscalls import Break, Pairing, effects
from iopf.emulator.trace.threads import Lifetimes

KERNEL_ADDRESS = "address in the kernel half"
FOREIGN_EXIT_MMAP = "exit_mmap of another address space"

_READ = int(Flag.READ)
_READ_WRITE = int(Flag.READ | Flag.WRITE)
_READ_EXEC = int(Flag.READ | Flag.EXEC)
_REQUEST = Op.REQUEST


@dataclass
class RawMm:
    """One address space: how it began (NEW_MM, WAIT_FORK or EXEC), its raw steps, its end."""

    index: int
    origin: Op
    start_t_ns: int
    start_line: int
    brk: Break
    steps: list[Step] = field(default_factory=list)
    end: Op = Op.EXIT
    end_t_ns: int = 0
    end_line: int = 0


@dataclass
class RawTenant:
    """A thread group: its leader's pid (or a PASID), its name, and its address spaces."""

    index: int
    pid: int
    comm: str
    mms: list[RawMm] = field(default_factory=list)
    parent: int | None = None
    exit_t_ns: int | None = None
    exit_line: int = 0
    ended: bool = False


@dataclass
class Tally:
    """Counts over all traces: faults by access, requests of devices, threads."""

    events: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    faults_read: int = 0
    faults_write: int = 0
    faults_exec: int = 0
    prq_requests: int = 0
    open_groups: int = 0
    threads: int = 0


class TooManyTenants(Exception):
    """The traces have more processes, PASIDs and requester ids without PASID than allowed."""


class Collector:
    """Takes the events of one trace, in order, and appends to a list of tenants."""

    def __init__(
        self,
        tenants: list[RawTenant],
        lifetimes: Lifetimes,
        skips: SkipLog,
        tally: Tally,
        most_tenants: int,
    ) -> None:
        self._tenants = tenants
        self._most_tenants = most_tenants
        self._lifetimes = lifetimes
        self._skips = skips
        self._tally = tally
        self._by_pid: dict[int, RawTenant] = {}
        self._by_pasid: dict[tuple[int, int], RawTenant] = {}
        self._open_groups: dict[tuple[int, int, int], int] = {}
        self._groups = 0
        self._pairing = Pairing(skips)
        self._mms = sum(len(tenant.mms) for tenant in tenants)

    def take(self, line: int, t_ns: int, event: Event) -> None:
        """Take one event; ``t_ns`` is its time on the clock of the plan."""
        if line in self._lifetimes.exec_lines:
            self._exec(line, t_ns, event.new_pid if isinstance(event, Exec) else event.pid)
        if type(event) is Fault:
            self._fault(line, t_ns, event)
        elif isinstance(event, Syscall):
            self._pairing.enter(line, event)
        elif isinstance(event, SyscallReturn):
            self._return(line, t_ns, event)
        elif isinstance(event, PrqReport):
            self._prq(line, t_ns, event)
        elif isinstance(event, Fork):
            self._fork(line, t_ns, event)
        elif isinstance(event, Exec):
            self._executed(line, t_ns, event)
        elif isinstance(event, Exit):
            self._exit(line, t_ns, event)
        elif isinstance(event, ExitMmap):
            self._exit_mmap(line, t_ns, event)
        elif isinstance(event, Unknown):
            self._skips.add(f"event {event.name}", line)
        elif isinstance(event, ExitGroup):
            self._tally.events["sys_exit_group"] += 1

    def finish(self, t_ns: int, line: int) -> None:
        """End every tenant that the trace leaves alive, at ``t_ns``."""
        self._pairing.finish()
        self._tally.open_groups += len(self._open_groups)
        self._open_groups.clear()
        for tenant in self._tenants:
            if not tenant.ended:
                self._end(tenant, t_ns, line)

    def _new_mm(self, tenant: RawTenant, origin: Op, t_ns: int, line: int, brk: Break) -> None:
        tenant.mms.append(RawMm(self._mms, origin, t_ns, line, brk))
        self._mms += 1

    def _new_tenant(
        self, pid: int, comm: str, origin: Op, t_ns: int, line: int, brk: Break
    ) -> RawTenant:
        if len(self._tenants) >= self._most_tenants:
            raise TooManyTenants
        tenant = RawTenant(len(self._tenants), pid, comm)
        self._tenants.append(tenant)
        self._new_mm(tenant, origin, t_ns, line, brk)
        return tenant

    def _tenant(self, pid: int, comm: str, t_ns: int, line: int) -> RawTenant:
        tenant = self._by_pid.get(pid)
        if tenant is None:
            tenant = self._new_tenant(pid, comm, Op.NEW_MM, t_ns, line, Break())
            self._by_pid[pid] = tenant
        return tenant

    def _fault(self, line: int, t_ns: int, fault: Fault) -> None:
        tally = self._tally
        tally.faults += 1
        code = fault.error_code
        if code & ERROR_WRITE:
            tally.faults_write += 1
            need = _READ_WRITE
        elif code & ERROR_FETCH:
            tally.faults_exec += 1
            need = _READ_EXEC
        else:
            tally.faults_read += 1
            need = _READ
        tally.events["page_fault_kernel" if fault.kernel else "page_fault_user"] += 1
        address = fault.address
        if address >= USER_HALF_END:
            self._skips.add(KERNEL_ADDRESS, line)
            return
        tenant = self._by_pid.get(fault.pid)
        if tenant is None:
            tenant = self._tenant(fault.pid, fault.comm, t_ns, line)
        tenant.mms[-1].steps.append(
            Step(_REQUEST, t_ns, line, page_down(address), 0, 0, 0, 0, need)
        )

    def _return(self, line: int, t_ns: int, back: SyscallReturn) -> None:
        self._tally.events["sys_" + back.name] += 1
        call = self._pairing.leave(line, back)
        if call is None or call.name == "execve":
            return
        mm = self._tenant(back.pid, back.comm, t_ns, line).mms[-1]
        for step in effects(call, back, line, mm.brk, self._skips):
            mm.steps.append(step._replace(t_ns=t_ns))

    def _prq(self, line: int, t_ns: int, report: PrqReport) -> None:
        self._tally.events["prq_report"] += 1
        self._tally.prq_requests += 1
        tenant = self._user(report, t_ns, line)
        key = (report.pasid, report.rid, report.prgi)
        group = self._open_groups.get(key)
        if group is None:
            self._groups += 1
            group = self._open_groups[key] = self._groups
        if report.flags & Flag.LAST:
            del self._open_groups[key]
        flags = int(report.flags) | (0 if report.pasid else FLAG_RID)
        tenant.mms[-1].steps.append(Step(_REQUEST, t_ns, line, report.address, group, flags=flags))

    def _user(self, report: PrqReport, t_ns: int, line: int) -> RawTenant:
        """The tenant behind a PASID, or behind the requester id of a request without one."""
        key = (report.pasid, 0 if report.pasid else report.rid)
        tenant = self._by_pasid.get(key)
        if tenant is None:
            name = f"pasid 0x{report.pasid:x}" if report.pasid else f"rid 0x{report.rid:x}"
            number = report.pasid or report.rid
            tenant = self._new_tenant(number, name, Op.NEW_MM, t_ns, line, Break())
            self._by_pasid[key] = tenant
        return tenant

    def _fork(self, line: int, t_ns: int, fork: Fork) -> None:
        self._tally.events["sched_process_fork"] += 1
        parent = self._tenant(fork.parent_pid, fork.comm, t_ns, line)
        if line in self._lifetimes.thread_forks:
            self._by_pid[fork.child_pid] = parent
            self._tally.threads += 1
            return
        mm = parent.mms[-1]
        child = self._new_tenant(
            fork.child_pid, fork.child_comm, Op.WAIT_FORK, t_ns, line, Break(mm.brk.end)
        )
        child.parent = parent.index
        self._by_pid[fork.child_pid] = child
        mm.steps.append(Step(Op.FORK, t_ns, line, arg=child.index))

    def _exec(self, line: int, t_ns: int, pid: int) -> None:
        """End the old address space of ``pid`` before this line and begin a new one."""
        tenant = self._by_pid.get(pid)
        if tenant is None:
            return
        old = tenant.mms[-1]
        old.end, old.end_t_ns, old.end_line = Op.EXEC, t_ns, line
        self._new_mm(tenant, Op.EXEC, t_ns, line, Break())

    def _executed(self, line: int, t_ns: int, event: Exec) -> None:
        self._tally.events["sched_process_exec"] += 1
        if event.old_pid != event.new_pid:
            self._pairing.rename(event.old_pid, event.new_pid)
            self._by_pid.pop(event.old_pid, None)
        tenant = self._tenant(event.new_pid, event.comm, t_ns, line)
        tenant.comm = event.comm

    def _exit(self, line: int, t_ns: int, event: Exit) -> None:
        self._tally.events["sched_process_exit"] += 1
        self._pairing.forget(event.exit_pid)
        tenant = self._by_pid.get(event.exit_pid)
        if tenant is None:
            return
        alone = event.group_dead is None and tenant.pid == event.exit_pid
        if event.group_dead or alone:
            tenant.exit_t_ns, tenant.exit_line = t_ns, line

    def _exit_mmap(self, line: int, t_ns: int, event: ExitMmap) -> None:
        self._tally.events["exit_mmap"] += 1
        if line in self._lifetimes.exit_lines:
            tenant = self._by_pid.get(event.pid)
            if tenant is not None:
                tenant.exit_t_ns, tenant.exit_line = t_ns, line
                self._end(tenant, t_ns, line)
        elif line not in self._lifetimes.exec_lines:
            self._skips.add(FOREIGN_EXIT_MMAP, line)

    def _end(self, tenant: RawTenant, t_ns: int, line: int) -> None:
        if tenant.ended:
            return
        mm = tenant.mms[-1]
        mm.end_t_ns = t_ns if tenant.exit_t_ns is None else tenant.exit_t_ns
        mm.end_line = tenant.exit_line or line
        if mm.steps:
            mm.end_t_ns = max(mm.end_t_ns, mm.steps[-1].t_ns)
            mm.end_line = max(mm.end_line, mm.steps[-1].line)
        tenant.ended = True
        for pid in [pid for pid, owner in self._by_pid.items() if owner is tenant]:
            del self._by_pid[pid]
