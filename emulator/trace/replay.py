# SPDX-License-Identifier: MIT
"""From a plan to programs for tenants and devices.

Why no deadlock is possible.  Give every record the place in its trace of the step it comes from,
and a group the place of its first request.  Then

* records of a tenant program are in the order of their places;
* groups of a device program are in the order of their places, and the records of a group follow
  each other;
* no group reaches over a step of its own tenant (:mod:`iopf.emulator.trace.groups`), so all requests of
  a group wait for the same epoch, made of tenant records with places before the group's;
* a GATE waits for the groups of its tenant with places before its own, and no other group can
  finish instead of those, because later ones wait for an epoch behind the gate;
* WAIT_FORK waits for the FORK of the same place, and a tenant never waits for its children.

So whatever waits, waits for something with an earlier place (or, at the same place, for what was
put into the program before it, or for FORK before WAIT_FORK).  Places are finite: the earliest
record not done can always be done, provided that a group once sent is answered.  Traces replayed
together are ordered by time, then by trace; each alone is monotonic in time, so this keeps the
order within each trace and joins the places of all of them into one order.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

from iopf.emulator.spec.program import FLAG_OPEN
from iopf.emulator.trace.address_space import INHERITED_MAX, WORK_MAX, Step, TooMuchWork
from iopf.emulator.trace.groups import GAP_LIMIT_NS, GROUP_LIMIT_MAX, Group, Item, items
from iopf.emulator.trace.implicit import MmPlan
from iopf.emulator.trace.plan import TenantPlan, TracePlan
from iopf.emulator.trace.program import RECORD_BYTES, Flag, Op, Record, pack

_DESTRUCTIVE = frozenset({Op.UNMAP, Op.PROTECT, Op.ZAP, Op.MREMAP, Op.FORK})
_REGION_SHIFT = 21
_Place = tuple[int, int, int]


@dataclass
class Need:
    """What the groups of one device take at once.

    ``largest`` is the size of its largest group, with its source, first and last line.  A group
    without a last request keeps its place and its credits to the end: ``open_groups`` and
    ``open_requests`` count those.
    """

    largest: tuple[int, str, int, int] = (0, "", 0, 0)
    open_groups: int = 0
    open_requests: int = 0

    def take(self, source: str, records: list[Record]) -> None:
        if len(records) > self.largest[0]:
            self.largest = (len(records), source, records[0].c, records[-1].c)
        if records[-1].flags & FLAG_OPEN:
            self.open_groups += 1
            self.open_requests += len(records)

    @property
    def credits(self) -> int:
        """Credits with which every group can be sent."""
        return self.open_requests + self.largest[0]


@dataclass
class Programs:
    """Programs packed as in :mod:`iopf.emulator.trace.program`, and what is needed to size a run.

    ``tenants`` and ``devices`` hold one program each (a device without work has an empty one).
    ``groups_by_tenant`` counts groups; ``group_sizes`` maps requests per group to groups.
    ``pages_by_tenant`` counts the pages that become present, summed over the tenant's
    address spaces, with those inherited by fork and those moved by mremap (an upper bound);
    ``regions_by_tenant`` counts the distinct 2 MiB regions they lie in, which is the number of
    last-level page tables.  ``mms`` is the number of address spaces, ``binds`` that of BIND
    records.  ``needs`` tells per device what its groups take.
    """

    tenants: list[bytes]
    devices: list[bytes]
    requests: int = 0
    groups: int = 0
    groups_by_tenant: list[int] = field(default_factory=list)
    requests_by_device: list[int] = field(default_factory=list)
    group_sizes: dict[int, int] = field(default_factory=dict)
    max_vmas: int = 0
    pages_by_tenant: list[int] = field(default_factory=list)
    regions_by_tenant: list[int] = field(default_factory=list)
    mms: int = 0
    binds: int = 0
    needs: list[Need] = field(default_factory=list)


def devices_of(tenant: int, tenants: int, devices: int) -> list[int]:
    """Return the devices of a tenant: all d with d mod tenants = tenant, or one that it shares."""
    if devices >= tenants:
        return list(range(tenant, devices, tenants))
    return [tenant % devices]


class _Footprint:
    """The pages that may be present in the address spaces of one tenant."""

    def __init__(self, inherited: array[int]) -> None:
        self._present = set(inherited)
        self._regions = {page >> _REGION_SHIFT for page in inherited}
        self._work = self._moved = 0
        self.pages = len(self._present)
        self.regions = 0

    def take(self, step: Step) -> None:
        if step.op is Op.REQUEST:
            self._add(step.a)
        elif step.op is Op.MREMAP:
            self._work += len(self._present)
            if self._work > WORK_MAX:
                raise TooMuchWork(f"its calls of mremap go through more than {WORK_MAX} pages")
            moved = [page for page in self._present if step.a <= page < step.b]
            self._moved += len(moved)
            if self._moved > INHERITED_MAX:
                raise TooMuchWork(f"its calls of mremap move more than {INHERITED_MAX} pages")
            self._present.difference_update(moved)
            for page in moved:
                self._add(page + step.c - step.a)

    def _add(self, page: int) -> None:
        if page not in self._present:
            self._present.add(page)
            self._regions.add(page >> _REGION_SHIFT)
            self.pages += 1

    def snapshot(self) -> array[int]:
        return array("Q", self._present)

    def end_mm(self) -> None:
        self.regions += len(self._regions)
        self._present.clear()
        self._regions.clear()


class _TenantWriter:
    """Writes the program of one tenant, and hands its groups out to its devices."""

    def __init__(
        self, tenant: TenantPlan, source: str, devices: list[int], needs: list[Need]
    ) -> None:
        self.tenant, self.source, self.needs = tenant, source, needs
        self.devices = devices
        self.records: list[Record] = []
        self.sent_groups = 0  # with those that get no last request; no gate waits for them
        self.groups = 0
        self.gated = 0
        self.binds = 0
        # Packed, because a long trace has a million groups.
        self.sent: list[tuple[_Place, int, bytes]] = []
        self.sizes: Counter[int] = Counter()

    def gate(self, t_ns: int) -> None:
        """Wait for every group so far, unless that has been waited for already."""
        if self.groups > self.gated:
            self.records.append(Record(Op.GATE, t_ns=t_ns, a=self.groups))
            self.gated = self.groups

    def group(self, group: Group, device: int) -> None:
        """Send a group on a device after everything written so far."""
        self.sent_groups += 1
        epoch = len(self.records)
        records: list[Record] = []
        last = len(group) - 1
        # A group of a recorded device has a last request only if the recording has it.
        finished = not group[0].b or bool(group[-1].flags & Flag.LAST)
        for position, step in enumerate(group):
            flags = step.flags & ~int(Flag.LAST)
            if position == last:
                flags |= Flag.LAST if finished else FLAG_OPEN
            records.append(
                Record(
                    Op.REQUEST,
                    int(flags),
                    self.tenant.index,
                    step.t_ns,
                    step.a,
                    epoch,
                    step.line,
                )
            )
        self.groups += finished
        place = (group[0].t_ns, self.tenant.trace, group[0].line)
        self.needs[device].take(self.source, records)
        self.sizes[len(records)] += 1
        self.sent.append((place, device, pack(records)))

    def mm(self, mm: MmPlan, things: list[Item]) -> None:
        """Write one address space: its beginning, binds, steps, unbinds; the end if it is EXIT."""
        self.records.append(Record(mm.origin, t_ns=mm.start_t_ns))
        groups = sum(isinstance(thing, list) for thing in things)
        first = self.sent_groups
        count = len(self.devices)
        used = sorted({self.devices[(first + i) % count] for i in range(min(groups, count))})
        bound = used or self.devices[:1]
        for device in bound:
            self.records.append(Record(Op.BIND, arg=device, t_ns=mm.start_t_ns))
        self.binds += len(bound)
        for thing in things:
            if isinstance(thing, list):
                self.group(thing, self.devices[self.sent_groups % count])
                continue
            if thing.op in _DESTRUCTIVE:
                self.gate(thing.t_ns)
            self.records.append(
                Record(thing.op, 0, thing.arg, thing.t_ns, thing.a, thing.b, thing.c, thing.d)
            )
        self.gate(mm.end_t_ns)
        for device in bound:
            self.records.append(Record(Op.UNBIND, arg=device, t_ns=mm.end_t_ns))
        if mm.end is Op.EXIT:
            self.records.append(Record(Op.EXIT, t_ns=mm.end_t_ns))


def build_programs(
    plan: TracePlan,
    devices: int,
    group_limit: int = 16,
    *,
    gap_limit_ns: int = GAP_LIMIT_NS,
) -> Programs:
    """Write the programs of all tenants of a plan and of ``devices`` devices.

    ``group_limit`` (1 to 64) bounds the requests of a group made from faults.  Raises TooMuchWork, ValueError if
    a limit or the number of devices is out of range.
    """
    if devices < 1:
        raise ValueError(f"devices is {devices}, must be at least 1")
    if not 1 <= group_limit <= GROUP_LIMIT_MAX:
        raise ValueError(f"group_limit is {group_limit}, must be 1 to {GROUP_LIMIT_MAX}")
    if gap_limit_ns < 0:
        raise ValueError(f"gap_limit_ns is {gap_limit_ns}, must not be negative")
    programs = Programs([], [], max_vmas=plan.max_vmas, mms=plan.mms)
    sizes: Counter[int] = Counter()
    programs.needs = [Need() for _ in range(devices)]
    sent: list[tuple[_Place, int, bytes]] = []
    inherited: dict[int, array[int]] = {}
    kept = 0
    for tenant in plan.tenants:
        mine = devices_of(tenant.index, len(plan.tenants), devices)
        writer = _TenantWriter(tenant, plan.sources[tenant.trace], mine, programs.needs)
        footprint = _Footprint(inherited.pop(tenant.index, array("Q")))
        for mm in tenant.mms:
            writer.mm(mm, items(mm.steps, group_limit, gap_limit_ns))
            for step in mm.steps:
                footprint.take(step)
                if step.op is Op.FORK:
                    inherited[step.arg] = footprint.snapshot()
                    kept += len(inherited[step.arg])
                    if kept > INHERITED_MAX:
                        raise TooMuchWork(f"its forks inherit more than {INHERITED_MAX} pages")
            footprint.end_mm()
        programs.tenants.append(pack(writer.records))
        programs.groups_by_tenant.append(writer.sent_groups)
        programs.pages_by_tenant.append(footprint.pages)
        programs.regions_by_tenant.append(footprint.regions)
        programs.binds += writer.binds
        sizes.update(writer.sizes)
        sent += writer.sent
    sent.sort(key=lambda item: item[0])
    per_device: list[list[bytes]] = [[] for _ in range(devices)]
    for _, device, packed in sent:
        per_device[device].append(packed)
    sent.clear()
    programs.devices = [b"".join(groups) for groups in per_device]
    programs.requests_by_device = [len(program) // RECORD_BYTES for program in programs.devices]
    programs.requests = sum(programs.requests_by_device)
    programs.groups = sum(programs.groups_by_tenant)
    programs.group_sizes = dict(sorted(sizes.items()))
    return programs
