# SPDX-License-Identifier: MIT
"""From entry and return of a system call to its effect on an address space.

Linux prints the entry and the return of a system call on two lines of the same task; calls of one
task never nest.  Only the return tells whether the call succeeded and, for mmap, brk and mremap,
which address was chosen; so the effect is placed at the time of the return.  Numbers are those of
the generic and x86 UAPI headers (asm-generic/mman-common.h, linux/mman.h).
"""

from __future__ import annotations

from iopf.emulator.trace.address_space import MAPPING_END, Step, page_down, page_up
from iopf.emulator.trace.events import Syscall, SyscallReturn
from iopf.emulator.trace.program import PROT_MASK, Op, map_arg
from iopf.emulator.trace.source import SkipLog

MAP_SHARED = 0x1
MAP_ANONYMOUS = 0x20
MAP_GROWSDOWN = 0x100
ZAPPING_ADVICE = frozenset({4, 8, 24})
"""MADV_DONTNEED, MADV_FREE, MADV_DONTNEED_LOCKED."""

NO_RETURN = "system call without its return"
NO_ENTRY = "return without its system call"
BAD_RANGE = "system call with an impossible address range"

_HEAP_ARG = map_arg(3, anonymous=True)


class Pairing:
    """Pairs entries with returns, per task."""

    def __init__(self, skips: SkipLog) -> None:
        self._open: dict[int, tuple[int, Syscall]] = {}
        self._skips = skips

    def enter(self, line: int, call: Syscall) -> None:
        """Note an entry; an entry still open for the same task has lost its return."""
        lost = self._open.get(call.pid)
        if lost is not None:
            self._skips.add(NO_RETURN, lost[0])
        self._open[call.pid] = (line, call)

    def leave(self, line: int, back: SyscallReturn) -> Syscall | None:
        """Return the entry that belongs to a return, or None (counted) without one."""
        entry = self._open.pop(back.pid, None)
        if entry is not None and entry[1].name == back.name:
            return entry[1]
        if entry is not None:
            self._skips.add(NO_RETURN, entry[0])
        self._skips.add(NO_ENTRY, line)
        return None

    def rename(self, old_pid: int, new_pid: int) -> None:
        """Move an open entry when a thread that calls exec takes its leader's pid."""
        entry = self._open.pop(old_pid, None)
        if entry is not None:
            self._open[new_pid] = entry

    def forget(self, pid: int) -> None:
        """Drop the open entry of a task that exits inside a call."""
        entry = self._open.pop(pid, None)
        if entry is not None and entry[1].name != "execve":
            self._skips.add(NO_RETURN, entry[0])

    def finish(self) -> None:
        """Count the entries that are still open at the end of the trace."""
        for line, _ in self._open.values():
            self._skips.add(NO_RETURN, line)
        self._open.clear()


class Break:
    """The program break of one address space; ``end`` is in bytes, None until first seen."""

    def __init__(self, end: int | None = None) -> None:
        self.end = end

    def move(self, result: int, asked: int) -> tuple[int, int, bool] | None:
        """Note the result of brk(2); return (start, end, grows) of what changed, if anything."""
        old, self.end = self.end, result
        if old is None or not asked:
            return None
        low, high = page_up(old), page_up(result)
        if low < high:
            return low, high, True
        return (high, low, False) if high < low else None


def effects(
    call: Syscall, back: SyscallReturn, line: int, brk: Break, skips: SkipLog
) -> list[Step]:
    """Return the raw steps of a finished call; none if it failed or changes no mapping.

    ``line`` is the line of the return.  An address range beyond the user half is counted.
    """
    args = call.args
    base = Step(Op.MAP, back.t_ns, line)
    if back.failed:
        return []
    if call.name == "brk":
        return _brk_effects(base, brk.move(back.value, args["brk"]))
    if call.name == "mremap":
        return _mremap_effects(base, args, back.value, skips)
    if call.name == "mmap":
        flags = args["flags"]
        arg = map_arg(
            args["prot"],
            shared=bool(flags & MAP_SHARED),
            anonymous=bool(flags & MAP_ANONYMOUS),
            growsdown=bool(flags & MAP_GROWSDOWN),
        )
        step = base._replace(a=back.value, b=back.value + args["len"], arg=arg)
    elif call.name == "munmap":
        step = base._replace(op=Op.UNMAP, a=args["addr"], b=args["addr"] + args["len"])
    elif call.name == "mprotect":
        step = base._replace(
            op=Op.PROTECT,
            a=args["start"],
            b=args["start"] + args["len"],
            arg=args["prot"] & PROT_MASK,
        )
    elif call.name == "madvise" and args["behavior"] in ZAPPING_ADVICE:
        step = base._replace(op=Op.ZAP, a=args["start"], b=args["start"] + args["len_in"])
    else:
        return []
    if step.a == step.b:
        return []
    step = step._replace(a=page_down(step.a), b=page_up(step.b))
    if not _possible(step.a, step.b):
        skips.add(BAD_RANGE, line)
        return []
    return [step]


def _possible(start: int, end: int) -> bool:
    return 0 <= start < end <= MAPPING_END


def _brk_effects(base: Step, change: tuple[int, int, bool] | None) -> list[Step]:
    if change is None or not _possible(change[0], change[1]):
        return []
    start, end, grows = change
    if grows:
        return [base._replace(a=start, b=end, arg=_HEAP_ARG)]
    return [base._replace(op=Op.UNMAP, a=start, b=end)]


def _mremap_effects(base: Step, args: dict[str, int], new: int, skips: SkipLog) -> list[Step]:
    old = args["addr"]
    old_end, new_end = page_up(old + args["old_len"]), page_up(new + args["new_len"])
    if new == old and old_end == new_end:
        return []
    overlap = new != old and new < old_end and old < new_end
    aligned = new == page_down(new)  # the kernel gives nothing else
    possible = aligned and _possible(new, new_end)
    if old > old_end or old_end > MAPPING_END or not possible or overlap:
        skips.add(BAD_RANGE, base.line)
        return []
    return [
        base._replace(
            op=Op.MREMAP, a=page_down(old), b=old_end, c=new, d=new_end, flags=args["flags"]
        )
    ]
