# SPDX-License-Identifier: MIT
"""From one or several traces to a plan: tenants, their address spaces, and every step in trace order.

The clock of each trace is moved to start at 0 and made monotonic (a line stamped earlier than its
predecessor gets the predecessor's time), so that trace order and time order are the same.  Traces
given together run at the same time and share nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from iopf.emulator.spec.text import counted
from iopf.emulator.trace.address_space import INHERITED_MAX, AddressSpace, Step, TooMuchWork
from iopf.emulator.trace.collect import Collector, RawTenant, Tally, TooManyTenants
from iopf.emulator.trace.events import Event, Unknown
from iopf.emulator.trace.ftrace import MalformedLine, parse_line
from iopf.emulator.trace.implicit import MmPlan, plan_mm
from iopf.emulator.trace.program import Op
from iopf.emulator.trace.source import Skip, SkipLog, TraceError, open_trace
from iopf.emulator.trace.threads import survey

MALFORMED = "malformed line"
EVENTS_MAX = 250_000
TENANTS_MAX = 256
LINES_BETWEEN_REPORTS = 8192
CLOCK_STEPPED_BACK = "time stamp before that of the line above"


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest number of events and of tenants of all traces together.

    A plan takes about 1 KB of memory per event, whatever its compressed size.
    """

    events: int = EVENTS_MAX
    tenants: int = TENANTS_MAX


@dataclass
class TenantPlan:
    """A thread group (or the user of a PASID) with its address spaces, one per program executed.

    ``pid`` is the leader's pid, or the PASID of a tenant made from prq_report lines.  ``parent`` is
    the index of the tenant that forked it, if the trace shows that.  ``trace`` is the trace's
    position in ``TracePlan.sources``.
    """

    index: int
    trace: int
    pid: int
    comm: str
    parent: int | None
    mms: list[MmPlan] = field(default_factory=list)

    def ops(self) -> Iterator[Step]:
        """Yield everything the tenant does, from NEW_MM or WAIT_FORK to EXIT, in trace order."""
        for mm in self.mms:
            if mm.origin is not Op.EXEC:
                yield Step(mm.origin, mm.start_t_ns, mm.start_line)
            yield from mm.steps
            yield Step(mm.end, mm.end_t_ns, mm.end_line)


@dataclass
class TracePlan:
    """The content of one or several traces.  Counts are over all of them; times are nanoseconds.

    ``faults`` counts every page fault read, ``requests`` the page requests planned (from faults and
    from prq_report lines); what lies between is in ``skipped`` by reason.  ``forbidden_faults`` are
    requests that their mapping does not permit, ``unmapped_faults`` those of addresses that cannot
    be mapped, ``open_groups`` groups of devices without a last request.  ``events`` counts a system call at its return.
    ``max_vmas`` is the largest number of mappings of one address space at any time.
    ``clock_steps_back`` counts lines stamped before the line above.
    """

    sources: list[str]
    tenants: list[TenantPlan] = field(default_factory=list)
    lines: int = 0
    events: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    faults_read: int = 0
    faults_write: int = 0
    faults_exec: int = 0
    prq_requests: int = 0
    requests: int = 0
    implicit_mappings: int = 0
    forbidden_faults: int = 0
    unmapped_faults: int = 0
    open_groups: int = 0
    skipped: dict[str, Skip] = field(default_factory=dict)
    duration_ns: int = 0
    threads: int = 0
    max_vmas: int = 0
    clock_steps_back: int = 0

    @property
    def processes(self) -> int:
        """Number of tenants."""
        return len(self.tenants)

    @property
    def mms(self) -> int:
        """Number of address spaces."""
        return sum(len(tenant.mms) for tenant in self.tenants)


def read_events(
    name: str, *, lenient: bool = False, skips: SkipLog | None = None
) -> Iterator[tuple[int, Event | None]]:
    """Iterate over ``(line, event)`` of a trace; the event of a comment or blank line is None.

    A malformed line raises TraceError, or with ``lenient`` is counted in ``skips`` and skipped.
    """
    log = skips if skips is not None else SkipLog()
    shown = "<stdin>" if name == "-" else name
    for line, text in open_trace(name, lenient=lenient, skips=log):
        try:
            event = parse_line(text)
        except MalformedLine as error:
            if not lenient:
                raise TraceError(
                    shown, line, str(error), "correct the line, or skip it with --lenient"
                ) from error
            log.add(MALFORMED, line)
            event = None
        yield line, event


def build_plan(
    names: Sequence[str],
    *,
    lenient: bool = False,
    limits: Limits | None = None,
    progress: Callable[[str], None] | None = None,
) -> TracePlan:
    """Read traces (shipped names, paths, or ``-``) and plan their replay.

    ``progress`` is called now and then with a line about the state.  A trace that cannot be read,
    that exceeds the limits, or that has nothing to replay raises TraceError.
    """
    plan = TracePlan(list(names))
    skips = SkipLog()
    tally = Tally()
    raw_tenants: list[RawTenant] = []
    reader = _Reader(lenient, limits or Limits(), progress, plan, skips, tally)
    for trace, name in enumerate(names):
        first = len(raw_tenants)
        reader.read(name, raw_tenants)
        if len(raw_tenants) == first:
            raise TraceError(
                "<stdin>" if name == "-" else name,
                None,
                "has no event that can be replayed",
                "record page_fault_user and page_fault_kernel, or give prq_report lines",
            )
        for raw in raw_tenants[first:]:
            plan.tenants.append(TenantPlan(raw.index, trace, raw.pid, raw.comm, raw.parent))
    reader.tell(f"planning {counted(tally.faults + tally.prq_requests, 'request')}")
    _plan_mms(plan, raw_tenants)
    plan.events = dict(sorted(tally.events.items()))
    plan.faults = tally.faults
    plan.faults_read = tally.faults_read
    plan.faults_write = tally.faults_write
    plan.faults_exec = tally.faults_exec
    plan.prq_requests = tally.prq_requests
    plan.open_groups = tally.open_groups
    plan.threads = tally.threads
    plan.skipped = skips.reasons
    return plan


@dataclass
class _Reader:
    """Reads traces one after the other within the limits."""

    lenient: bool
    limits: Limits
    progress: Callable[[str], None] | None
    plan: TracePlan
    skips: SkipLog
    tally: Tally
    events: int = 0

    def tell(self, text: str) -> None:
        if self.progress is not None:
            self.progress(text)

    def read(self, name: str, tenants: list[RawTenant]) -> None:
        """Append the tenants of one trace, with raw steps, and count its lines."""
        events = self._events(name)
        collector = Collector(tenants, survey(events), self.skips, self.tally, self.limits.tenants)
        start_ns: int | None = None
        now_ns = 0
        line = 0
        events.reverse()
        while events:  # each event is freed as soon as its step exists
            line, event = events.pop()
            stamp_ns = event.t_ns
            if stamp_ns >= 0 and type(event) is not Unknown:
                if start_ns is None:
                    start_ns = stamp_ns
                if stamp_ns - start_ns < now_ns:
                    self.plan.clock_steps_back += 1
                else:
                    now_ns = stamp_ns - start_ns
            try:
                collector.take(line, now_ns, event)
            except TooManyTenants:
                raise TraceError(
                    "<stdin>" if name == "-" else name,
                    line,
                    f"more than {self.limits.tenants} processes and PASIDs",
                    "each is a process of the emulator; cut the trace, or filter it by pid",
                ) from None
        collector.finish(now_ns, line)
        self.plan.duration_ns = max(self.plan.duration_ns, now_ns)

    def _events(self, name: str) -> list[tuple[int, Event]]:
        """All events of a trace: threads and exec are understood only from what follows."""
        events: list[tuple[int, Event]] = []
        for line, event in read_events(name, lenient=self.lenient, skips=self.skips):
            self.plan.lines += 1
            if line % LINES_BETWEEN_REPORTS == 0:
                self.tell(
                    f"reading {name}: {counted(line, 'line')}, {counted(len(events), 'event')}"
                )
            if event is None:
                continue
            self.events += 1
            if self.events > self.limits.events:
                raise TraceError(
                    "<stdin>" if name == "-" else name,
                    line,
                    f"more than {self.limits.events} events",
                    "cut the trace, or raise the limit with --max-events (about 1 KB each)",
                )
            events.append((line, event))
        return events


def _plan_mms(plan: TracePlan, raw_tenants: list[RawTenant]) -> None:
    """Add the implicit mappings, parents before children, and count."""
    inherited: dict[int, AddressSpace] = {}
    kept = 0
    pairs = [(mm, tenant) for tenant in raw_tenants for mm in tenant.mms]
    for raw, owner in sorted(pairs, key=lambda pair: pair[0].index):
        space = inherited.pop(owner.index, None) if raw.origin is Op.WAIT_FORK else None
        try:
            mm, snapshots = plan_mm(raw, space)
            kept += sum(map(len, snapshots.values()))
            if kept > INHERITED_MAX:
                raise TooMuchWork(f"its forks inherit more than {INHERITED_MAX} mappings")
        except TooMuchWork as error:
            raise TraceError(", ".join(plan.sources), None, str(error), "cut the trace") from None
        raw.steps.clear()
        inherited.update(snapshots)
        plan.tenants[owner.index].mms.append(mm)
        plan.implicit_mappings += mm.implicit_mappings
        plan.forbidden_faults += mm.forbidden_faults
        plan.unmapped_faults += mm.unmapped_faults
        plan.max_vmas = max(plan.max_vmas, mm.max_vmas)
        plan.requests += sum(step.op is Op.REQUEST for step in mm.steps)


def summary_lines(plan: TracePlan) -> list[str]:
    """Return the plan in at most 12 short lines."""
    lines = [
        f"traces     {', '.join(plan.sources)}: {plan.lines} lines, "
        f"{plan.duration_ns / 1e6:.1f} ms",
        f"processes  {plan.processes} with {plan.mms} address spaces, {plan.threads} more threads",
        f"faults     {plan.faults}: {plan.faults_read} read, {plan.faults_write} write, "
        f"{plan.faults_exec} instruction fetch",
    ]
    if plan.prq_requests:
        lines.append(f"reports    {plan.prq_requests} page requests of devices")
    lines.append(f"requests   {plan.requests} to replay, {plan.forbidden_faults} of them forbidden")
    lines.append(
        f"mappings   {plan.implicit_mappings} implicit; "
        f"at most {plan.max_vmas} in one address space"
    )
    if plan.clock_steps_back:
        lines.append(f"clock      {plan.clock_steps_back} lines stamped before the line above")
    worst = sorted(plan.skipped.items(), key=lambda item: (-item[1].count, item[0]))
    for reason, skip in worst[:4]:
        where = ", ".join(map(str, skip.lines))
        more = ", …" if skip.count > len(skip.lines) else ""
        lines.append(f"skipped    {skip.count} times {reason} (line {where}{more})")
    if len(worst) > 4:
        rest = sum(skip.count for _, skip in worst[4:])
        lines.append(f"skipped    {rest} times {len(worst) - 4} other reasons")
    return lines
