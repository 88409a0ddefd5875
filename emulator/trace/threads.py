# SPDX-License-Identifier: MIT
"""Properties that need the whole trace: threads, and where exec takes effect.

``sched_process_fork`` does not tell a thread from a process.  A task made by fork is a thread if

* it never executes a program, and its exit says ``group_dead=false``; or
* it never executes a program (nor tries to), no ``exit_mmap`` follows its exit, and no exit of it
  says ``group_dead=true``; or
* its creator's exit said ``group_dead=false`` although nothing else closes the creator's group:
  then the first such task to exit with ``group_dead=true`` was the group's last thread.

exec drops the old address space before ``sched_process_exec`` is printed: at ``exit_mmap``, if the
old space had no other user (after vfork it has).  The faults that follow belong to the new space.
Without an ``exit_mmap`` the first write fault of the kernel inside execve marks the change, because
exec reads from the old address space and writes to the new one only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from iopf.emulator.trace.address_space import USER_HALF_END
from iopf.emulator.trace.events import (
    ERROR_WRITE,
    Event,
    Exec,
    Exit,
    ExitMmap,
    Fault,
    Fork,
    Syscall,
    SyscallReturn,
)


@dataclass(frozen=True)
class Lifetimes:
    """The results, each a set of line numbers."""

    thread_forks: frozenset[int]
    """Forks that made a thread."""
    exec_lines: frozenset[int]
    """Lines before which the task's thread group changes to a new address space."""
    exit_lines: frozenset[int]
    """``exit_mmap`` lines that end the address space of the thread group."""


@dataclass
class _Life:
    """One task, from its first line to its exit."""

    pid: int
    parent: _Life | None = None
    fork_line: int = 0
    executed: bool = False
    tried_exec: bool = False
    exit_line: int = 0
    group_dead: bool | None = None
    own_exit_mmap: bool = False
    thread: bool = False
    in_exec: bool = False
    first_write: int = 0
    exit_mmaps: list[int] = field(default_factory=list)


class _Survey:
    def __init__(self) -> None:
        self.lives: list[_Life] = []
        self.current: dict[int, _Life] = {}
        self.exec_lines: set[int] = set()
        self.exit_lines: set[int] = set()

    def get(self, pid: int) -> _Life:
        life = self.current.get(pid)
        return life if life is not None else self.start(_Life(pid))

    def start(self, life: _Life) -> _Life:
        self.lives.append(life)
        self.current[life.pid] = life
        return life

    def take(self, line: int, event: Event) -> None:
        if isinstance(event, Fault):
            if event.kernel and event.error_code & ERROR_WRITE:
                self.take_kernel_write(line, event)
        elif isinstance(event, Syscall):
            if event.name == "execve":
                life = self.get(event.pid)
                life.in_exec = life.tried_exec = True
                life.first_write = 0
                life.exit_mmaps.clear()
        elif isinstance(event, SyscallReturn):
            if event.name == "execve" and event.failed:
                self.get(event.pid).in_exec = False
        elif isinstance(event, Fork):
            self.start(_Life(event.child_pid, self.get(event.parent_pid), line))
        elif isinstance(event, Exec):
            self.take_exec(line, event)
        elif isinstance(event, Exit):
            life = self.get(event.exit_pid)
            life.exit_line, life.group_dead = line, event.group_dead
        elif isinstance(event, ExitMmap):
            life = self.get(event.pid)
            if life.exit_line:
                life.own_exit_mmap = True
                self.exit_lines.add(line)
                del self.current[event.pid]
            else:
                life.exit_mmaps.append(line)

    def take_kernel_write(self, line: int, fault: Fault) -> None:
        """Remember the first write of the kernel to the user half inside execve."""
        life = self.current.get(fault.pid)
        user_half = fault.address < USER_HALF_END
        if life is not None and life.in_exec and not life.first_write and user_half:
            life.first_write = line

    def take_exec(self, line: int, event: Exec) -> None:
        """Note an exec, possibly by a thread, which then takes the leader's pid."""
        life = self.get(event.new_pid)
        caller = life
        if event.old_pid != event.new_pid:
            caller = self.current.pop(event.old_pid, life)
            if caller.group_dead is None:
                caller.group_dead = False
        life.executed = True
        marks = [mark for mark in life.exit_mmaps + caller.exit_mmaps if mark]
        if caller.in_exec:
            self.exec_lines.add(min(marks) if marks else caller.first_write or line)
        else:
            self.exec_lines.add(max(marks) if marks else line)
        for done in (life, caller):
            done.in_exec = False
            done.first_write = 0
            done.exit_mmaps.clear()

    def finish(self) -> Lifetimes:
        for life in self.current.values():
            if life.in_exec and life.exit_mmaps:  # the trace ends inside exec
                self.exec_lines.add(life.exit_mmaps[0])
        self.tell_threads()
        threads = frozenset(life.fork_line for life in self.lives if life.thread)
        return Lifetimes(threads, frozenset(self.exec_lines), frozenset(self.exit_lines))

    def tell_threads(self) -> None:
        for life in self.lives:
            if life.parent is None or life.executed:
                continue
            if life.group_dead is False:
                life.thread = True
            elif life.group_dead is None and not life.own_exit_mmap and not life.tried_exec:
                life.thread = not life.exit_line or bool(self.exit_lines)
        made_by: dict[int, list[_Life]] = {}
        for life in self.lives:
            if life.parent is not None:
                made_by.setdefault(id(life.parent), []).append(life)
        for root in self.lives:
            if root.thread or root.group_dead is not False:
                continue
            closers = [
                life
                for life in made_by.get(id(root), ())
                if not life.executed and life.group_dead and life.exit_line > root.exit_line
            ]
            if closers:
                min(closers, key=lambda life: life.exit_line).thread = True


def survey(events: Iterable[tuple[int, Event]]) -> Lifetimes:
    """Read all events, given as (line, event), and return what they tell together."""
    state = _Survey()
    for line, event in events:
        state.take(line, event)
    return state.finish()
