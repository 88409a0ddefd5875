# SPDX-License-Identifier: MIT
"""The mappings of one address space, as they change along a trace.

An :class:`AddressSpace` is a sorted list of mappings (VMAs) that do not overlap.  It is not merged:
two neighbours with equal attributes stay two, so the number of mappings is an upper bound of what
an implementation that merges would hold.  Addresses are bytes, ends are exclusive, everything is
page aligned by the caller.

:meth:`AddressSpace.apply` takes a *raw* step (what a system call asked for) and returns the steps
that have the same effect under stricter rules: a MAP or MREMAP only ever fills a free range (an
UNMAP of what was there comes first), PROTECT and ZAP only name ranges mapped without holes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from iopf.emulator.trace.program import GROWSDOWN, PAGE_BYTES, PROT_MASK, Op

USER_HALF_END = 1 << 63
MAPPING_END = 1 << 47
"""Nothing is mapped above: mmap(2) goes there only when asked, with five levels of page tables
(DEFAULT_MAP_WINDOW). An access there is one to an unmapped page."""
STACK_LIMIT_BYTES = 8 << 20
"""Distance that a MAP_GROWSDOWN mapping may grow below its start: the usual RLIMIT_STACK."""

WORK_MAX = 50_000_000
"""Mappings and pages that the steps of one plan may go through: one call can concern all mappings,
so the work grows with the square of the events. Planning takes about half a minute at the limit."""
INHERITED_MAX = 4_000_000
"""Mappings, and pages, that all forks of one plan may inherit; pages that mremap may move."""

MREMAP_MAYMOVE = 1
MREMAP_FIXED = 2
MREMAP_DONTUNMAP = 4


class TooMuchWork(Exception):
    """A plan beyond WORK_MAX or INHERITED_MAX; the text says which."""


class Step(NamedTuple):
    """One step in the life of an address space: an operation or a fault, with its place.

    ``line`` is the line of the trace.  a, b, c, d, arg and flags are those of the operation in
    :class:`iopf.emulator.trace.program.Op`.  For a REQUEST a is the address of the page, flags the
    permissions asked for, and b identifies a group made by a device (0 for a CPU fault).  A raw
    MREMAP carries the flags of mremap(2) in flags.
    """

    op: Op
    t_ns: int
    line: int
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    arg: int = 0
    flags: int = 0


class Vma(NamedTuple):
    """A mapping [start, end) with attributes as in the arg of MAP."""

    start: int
    end: int
    arg: int

    @property
    def prot(self) -> int:
        """Protection bits: read 1, write 2, exec 4."""
        return self.arg & PROT_MASK


def page_up(address: int) -> int:
    """Round up to a page boundary."""
    return (address + PAGE_BYTES - 1) & -PAGE_BYTES


def page_down(address: int) -> int:
    """Round down to a page boundary."""
    return address & -PAGE_BYTES


class AddressSpace:
    """A sorted list of mappings that do not overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._vmas: list[Vma] = []
        self._work = 0

    def __len__(self) -> int:
        return len(self._vmas)

    def __iter__(self) -> Iterator[Vma]:
        return iter(self._vmas)

    def copy(self) -> AddressSpace:
        """Return a copy, as fork makes it."""
        twin = AddressSpace()
        twin._starts = self._starts[:]
        twin._vmas = self._vmas[:]
        return twin

    def clear(self) -> None:
        """Drop every mapping, as exec and exit do."""
        self._starts.clear()
        self._vmas.clear()

    def find(self, address: int) -> Vma | None:
        """Return the mapping that holds ``address``."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        vma = self._vmas[index]
        return vma if address < vma.end else None

    def pieces(self, start: int, end: int) -> list[Vma]:
        """Return the mapped parts of [start, end), cut to it, in order."""
        low, high = self._span(start, end)
        return [Vma(max(v.start, start), min(v.end, end), v.arg) for v in self._vmas[low:high]]

    def runs(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the mapped parts of [start, end) with neighbours joined."""
        joined: list[tuple[int, int]] = []
        for piece in self.pieces(start, end):
            if joined and joined[-1][1] == piece.start:
                joined[-1] = (joined[-1][0], piece.end)
            else:
                joined.append((piece.start, piece.end))
        return joined

    def holes(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of [start, end) that are not mapped."""
        free: list[tuple[int, int]] = []
        for low, high in self.runs(start, end):
            if start < low:
                free.append((start, low))
            start = high
        if start < end:
            free.append((start, end))
        return free

    def free_around(self, address: int) -> tuple[int, int]:
        """Return the free range around an address that is not mapped."""
        index = bisect_right(self._starts, address)
        low = self._vmas[index - 1].end if index else 0
        high = self._starts[index] if index < len(self._starts) else MAPPING_END
        return low, high

    def map(self, start: int, end: int, arg: int) -> None:
        """Map [start, end), over whatever was there."""
        self._replace(start, end, [Vma(start, end, arg)])

    def unmap(self, start: int, end: int) -> None:
        """Drop what is mapped in [start, end), splitting mappings at its borders."""
        self._replace(start, end, [])

    def protect(self, start: int, end: int, prot: int) -> None:
        """Change the protection of what is mapped in [start, end)."""
        changed = [
            Vma(v.start, v.end, (v.arg & ~PROT_MASK) | prot) for v in self.pieces(start, end)
        ]
        self._replace(start, end, changed)

    def move(self, old_start: int, old_end: int, new_start: int, new_end: int) -> None:
        """Move what is mapped in the old range; the last mapping moved ends at ``new_end``."""
        shift = new_start - old_start
        moved = [
            Vma(v.start + shift, v.end + shift, v.arg) for v in self.pieces(old_start, old_end)
        ]
        if moved:
            moved[-1] = moved[-1]._replace(end=new_end)
        self.unmap(old_start, old_end)
        self._replace(new_start, new_end, moved)

    def grow_down(self, address: int) -> Vma | None:
        """Let the MAP_GROWSDOWN mapping above ``address`` grow to it; None if there is none."""
        index = bisect_right(self._starts, address)
        if index == len(self._vmas):
            return None
        above = self._vmas[index]
        if not above.arg & GROWSDOWN or above.start - address > STACK_LIMIT_BYTES:
            return None
        grown = above._replace(start=page_down(address))
        self._vmas[index] = grown
        self._starts[index] = grown.start
        return grown

    def _span(self, start: int, end: int) -> tuple[int, int]:
        """Return the slice of mappings that overlap [start, end)."""
        low = bisect_right(self._starts, start) - 1
        if low < 0 or self._vmas[low].end <= start:
            low += 1
        high = max(low, bisect_left(self._starts, end))
        self._work += high - low
        if self._work > WORK_MAX:
            raise TooMuchWork(f"its calls go through more than {WORK_MAX} mappings")
        return low, high

    def _replace(self, start: int, end: int, new: list[Vma]) -> None:
        low, high = self._span(start, end)
        if low < high:
            first, last = self._vmas[low], self._vmas[high - 1]
            if first.start < start:
                new = [Vma(first.start, start, first.arg), *new]
            if last.end > end:
                new = [*new, Vma(end, last.end, last.arg)]
        self._vmas[low:high] = new
        self._starts[low:high] = [vma.start for vma in new]

    def apply(self, step: Step) -> list[Step]:
        """Apply a raw step and return the steps that do the same under the rules of this module.

        A REQUEST, FORK, EXEC or EXIT changes no mapping here and is returned as it is.
        """
        if step.op is Op.MAP:
            steps = self._clear_for(step, step.a, step.b)
            self.map(step.a, step.b, step.arg)
            return [*steps, step]
        if step.op is Op.UNMAP:
            self.unmap(step.a, step.b)
            return [step]
        if step.op is Op.PROTECT:
            runs = self.runs(step.a, step.b)
            self.protect(step.a, step.b, step.arg)
            return [step._replace(a=low, b=high) for low, high in runs]
        if step.op is Op.ZAP:
            return [step._replace(a=low, b=high) for low, high in self.runs(step.a, step.b)]
        if step.op is Op.MREMAP:
            return self._apply_mremap(step)
        return [step]

    def _clear_for(self, step: Step, start: int, end: int) -> list[Step]:
        """Unmap what lies in [start, end) so that a mapping can be put there."""
        there = self.pieces(start, end)
        if not there:
            return []
        self.unmap(there[0].start, there[-1].end)
        return [Step(Op.UNMAP, step.t_ns, step.line, there[0].start, there[-1].end)]

    def _apply_mremap(self, step: Step) -> list[Step]:
        """Apply mremap(2): a, b = old range, c, d = new range, flags = its flags."""
        old_start, old_end, new_start, new_end = step.a, step.b, step.c, step.d
        base = Step(Op.MAP, step.t_ns, step.line)
        if old_start == old_end:  # old_len 0 maps the same (shared) object a second time
            source = self.find(old_start)
            if source is None:
                return []
            return self.apply(base._replace(a=new_start, b=new_end, arg=source.arg))
        old_len, new_len = old_end - old_start, new_end - new_start
        steps: list[Step] = []
        if new_len < old_len:
            steps += self.apply(base._replace(op=Op.UNMAP, a=old_start + new_len, b=old_end))
            old_end = old_start + new_len
        pieces = self.pieces(old_start, old_end)
        if not pieces:
            return steps
        if new_start == old_start:
            if new_len > old_len:
                grown = base._replace(a=old_end, b=new_end, arg=pieces[-1].arg)
                steps += self.apply(grown)
            return steps
        steps += self._clear_for(step, new_start, new_end)
        self.move(old_start, old_end, new_start, new_end)
        steps.append(step._replace(b=old_end, flags=0))
        if step.flags & MREMAP_DONTUNMAP:
            for piece in pieces:
                again = base._replace(a=piece.start, b=piece.end, arg=piece.arg)
                steps += self.apply(again)
        return steps
