# SPDX-License-Identifier: MIT
"""Mappings that a trace does not show, planned from the faults that need them.

exec maps the program, the interpreter, the stack and the vdso without a system call, and a trace
may begin when a process is already running.  Such a mapping is seen only through what happens in
it: a fault, or a successful mprotect, madvise or mremap over it (which Linux refuses on a hole).

Each address space is processed twice.  The first pass collects the ranges that need a mapping that
the trace does not show.  They are joined into clusters when at most :data:`JOIN_PAGES` pages lie between them
and no mapping of the trace lies there at any time; a cluster gets the union of the permissions
needed in it.  A cluster that no mapping of the trace ever touches is mapped when the address space
begins.  A range that was mapped explicitly at some other time cannot be: it is mapped just before
the first step that needs it, as far as the ranges mapped at that time leave room.

The second pass produces the final steps.  A fault whose permission its mapping does not grant is
kept and counted as forbidden: Linux answers it with Invalid Request.  So is, counted as unmapped,
one of an address at which nothing can be mapped.  A request without PASID has no address space.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from iopf.emulator.spec.program import FLAG_RID
from iopf.emulator.trace.address_space import MAPPING_END, AddressSpace, Step
from iopf.emulator.trace.collect import RawMm
from iopf.emulator.trace.program import PAGE_BYTES, Op, Prot, map_arg

JOIN_PAGES = 32
_PROT_BITS = 7
_MOVED_PROT = int(Prot.READ | Prot.WRITE)  # what mremap moves is memory of an allocator


@dataclass
class MmPlan:
    """One address space with every mapping it needs.

    ``origin`` is NEW_MM, WAIT_FORK or EXEC, ``end`` is EXEC or EXIT; both are not in ``steps``.
    """

    index: int
    origin: Op
    start_t_ns: int
    start_line: int
    end: Op
    end_t_ns: int
    end_line: int
    steps: list[Step] = field(default_factory=list)
    implicit_mappings: int = 0
    forbidden_faults: int = 0
    unmapped_faults: int = 0
    max_vmas: int = 0


@dataclass(frozen=True)
class _Cluster:
    start: int
    end: int
    prot: int


class _Ranges:
    """A set of ranges, joined and sorted, to ask whether a range touches any of them."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(ranges):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def touches(self, start: int, end: int) -> bool:
        index = bisect_right(self._ends, start)
        return index < len(self._starts) and self._starts[index] < end

    def cut(self, start: int, end: int) -> list[tuple[int, int, bool]]:
        """Return [start, end) cut at the borders of the set, with whether each part is inside."""
        parts: list[tuple[int, int, bool]] = []
        index = bisect_right(self._ends, start)
        while start < end:
            if index == len(self._starts) or self._starts[index] >= end:
                parts.append((start, end, False))
                break
            if start < self._starts[index]:
                parts.append((start, self._starts[index], False))
                start = self._starts[index]
            stop = min(end, self._ends[index])
            parts.append((start, stop, True))
            start = stop
            index += 1
        return parts


class _Needs:
    """The ranges of one address space that need a mapping that the trace does not have."""

    def __init__(self) -> None:
        self.pages: dict[int, int] = {}
        self.ranges: list[tuple[int, int, int]] = []

    def clusters(self, explicit: _Ranges) -> tuple[list[_Cluster], list[_Cluster]]:
        """Return the clusters that can be mapped at the start, and those that cannot."""
        early: list[tuple[int, int, int]] = []
        late: list[tuple[int, int, int]] = []
        for page, prot in self.pages.items():
            inside = explicit.touches(page, page + PAGE_BYTES)
            (late if inside else early).append((page, page + PAGE_BYTES, prot))
        for start, end, prot in self.ranges:
            for low, high, inside in explicit.cut(start, end):
                (late if inside else early).append((low, high, prot))
        return _join(early, explicit), _join(late, _Ranges([]))


def _join(parts: list[tuple[int, int, int]], between: _Ranges) -> list[_Cluster]:
    """Join neighbouring parts unless a range of ``between`` lies in the gap."""
    clusters: list[_Cluster] = []
    for start, end, prot in sorted(parts):
        if clusters:
            last = clusters[-1]
            near = start - last.end <= JOIN_PAGES * PAGE_BYTES
            if near and (start <= last.end or not between.touches(last.end, start)):
                clusters[-1] = _Cluster(last.start, max(last.end, end), last.prot | prot)
                continue
        clusters.append(_Cluster(start, end, prot))
    return clusters


def _without_mapping(step: Step) -> bool:
    """Whether no mapping can serve a request."""
    return step.op is Op.REQUEST and (step.a >= MAPPING_END or bool(step.flags & FLAG_RID))


def _first_pass(raw: RawMm, space: AddressSpace) -> tuple[_Needs, _Ranges]:
    needs = _Needs()
    explicit = [(vma.start, vma.end) for vma in space]
    for step in raw.steps:
        if step.op is Op.REQUEST:
            page = step.a
            if _without_mapping(step):
                continue
            if space.find(page) is None and space.grow_down(page) is None:
                prot = (step.flags & _PROT_BITS) | Prot.READ
                needs.pages[page] = needs.pages.get(page, 0) | prot
            continue
        if step.op is Op.FORK:
            continue
        if step.op is Op.MREMAP:
            for low, high in space.holes(step.a, step.b):
                needs.ranges.append((low, high, _MOVED_PROT))
                space.map(low, high, map_arg(_MOVED_PROT, implicit=True))
        elif step.op is Op.PROTECT or step.op is Op.ZAP:
            for low, high in space.holes(step.a, step.b):
                needs.ranges.append((low, high, int(Prot.READ)))
        for done in space.apply(step):
            if done.op is Op.MAP:
                explicit.append((done.a, done.b))
            elif done.op is Op.MREMAP:
                explicit.append((done.c, done.d))
    return needs, _Ranges(explicit)


class _SecondPass:
    """Produces the final steps of one address space."""

    def __init__(self, plan: MmPlan, space: AddressSpace, late: list[_Cluster]) -> None:
        self.plan = plan
        self.space = space
        self.late = late
        self.late_starts = [cluster.start for cluster in late]
        self.snapshots: dict[int, AddressSpace] = {}

    def add(self, step: Step) -> None:
        self.plan.steps += self.space.apply(step)
        self.plan.max_vmas = max(self.plan.max_vmas, len(self.space))

    def map_implicit(self, t_ns: int, line: int, start: int, end: int, prot: int) -> None:
        self.plan.implicit_mappings += 1
        self.add(Step(Op.MAP, t_ns, line, start, end, arg=map_arg(prot, implicit=True)))

    def map_late(self, step: Step, address: int, prot: int) -> None:
        """Map as much of the cluster around ``address`` as is free at this time."""
        low, high = self.space.free_around(address)
        start, end = address, address + PAGE_BYTES
        index = bisect_right(self.late_starts, address) - 1
        if index >= 0 and address < self.late[index].end:
            cluster = self.late[index]
            start, end = max(low, cluster.start), min(high, cluster.end)
            prot |= cluster.prot
        self.map_implicit(step.t_ns, step.line, start, end, prot)

    def run(self, raw: RawMm) -> None:
        space = self.space
        out = self.plan.steps
        for step in raw.steps:
            if _without_mapping(step):
                self.plan.unmapped_faults += not step.flags & FLAG_RID
                out.append(step)
                continue
            if step.op is Op.REQUEST:
                vma = space.find(step.a)
                if vma is None:
                    vma = space.grow_down(step.a)
                need = step.flags & _PROT_BITS
                if vma is None:
                    self.map_late(step, step.a, need | Prot.READ)
                elif need & ~vma.arg & _PROT_BITS:
                    self.plan.forbidden_faults += 1
                out.append(step)
                continue
            if step.op is Op.FORK:
                self.snapshots[step.arg] = space.copy()
            elif step.op is Op.MREMAP:
                for low, high in space.holes(step.a, step.b):
                    self.map_implicit(step.t_ns, step.line, low, high, _MOVED_PROT)
            self.add(step)


def plan_mm(raw: RawMm, inherited: AddressSpace | None) -> tuple[MmPlan, dict[int, AddressSpace]]:
    """Plan one address space.

    ``inherited`` holds the mappings of the parent at the time of the fork.  Returns the plan, and
    the mappings at each fork by the index of the child tenant.
    """
    start = inherited if inherited is not None else AddressSpace()
    needs, explicit = _first_pass(raw, start.copy())
    early, late = needs.clusters(explicit)
    plan = MmPlan(
        raw.index, raw.origin, raw.start_t_ns, raw.start_line, raw.end, raw.end_t_ns, raw.end_line
    )
    space = start.copy()
    plan.max_vmas = len(space)
    second = _SecondPass(plan, space, late)
    for cluster in early:
        second.map_implicit(
            raw.start_t_ns, raw.start_line, cluster.start, cluster.end, cluster.prot
        )
    second.run(raw)
    return plan, second.snapshots
