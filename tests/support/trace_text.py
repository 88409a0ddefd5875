# SPDX-License-Identifier: MIT
"""Trace lines in the format of ftrace, and plans as text, for the tests of the planner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from iopf.emulator.trace.plan import TenantPlan, TracePlan, build_plan
from iopf.emulator.trace.program import IMPLICIT, Op

Planner = Callable[..., TracePlan]


def line(pid: int, t_us: int, body: str) -> str:
    return f"task-{pid} [000] ..... {10 + t_us // 1_000_000}.{t_us % 1_000_000:06}: {body}\n"


def fault(pid: int, t_us: int, address: int, code: int = 6, side: str = "user") -> str:
    body = f"page_fault_{side}: address=0x{address:x} ip=0x1 error_code=0x{code:x}"
    return line(pid, t_us, body)


def call(pid: int, t_us: int, name: str, value: int, **args: int) -> str:
    shown = ", ".join(f"{key}: 0x{arg:x}" for key, arg in args.items())
    entry = line(pid, t_us, f"sys_{name}({shown})")
    return entry + line(pid, t_us + 1, f"sys_{name} -> 0x{value % (1 << 64):x}")


def mmap(pid: int, t_us: int, start: int, length: int, prot: int = 3, flags: int = 0x22) -> str:
    return call(pid, t_us, "mmap", start, addr=0, len=length, prot=prot, flags=flags)


def fork(t_us: int, parent: int, child: int) -> str:
    body = f"sched_process_fork: comm=task pid={parent} child_comm=child child_pid={child}"
    return line(parent, t_us, body)


def execute(pid: int, t_us: int) -> str:
    return (
        line(pid, t_us, "sys_execve(filename: 0x1, argv: 0x2, envp: 0x3)")
        + line(pid, t_us + 1, f"sched_process_exec: filename=/bin/x pid={pid} old_pid={pid}")
        + line(pid, t_us + 2, "sys_execve -> 0x0")
    )


def leave(pid: int, t_us: int, dead: str = "true") -> str:
    return line(pid, t_us, f"sched_process_exit: comm=task pid={pid} prio=120 group_dead={dead}")


def exit_mmap(pid: int, t_us: int) -> str:
    return line(pid, t_us, "exit_mmap: mt_mod 00000000cb8c2172, DESTROY")


def shape(tenant: TenantPlan) -> list[str]:
    """Name the operations of a tenant, with page numbers."""
    out = []
    for step in tenant.ops():
        if step.op is Op.REQUEST:
            out.append(f"{step.a >> 12:x}?{step.flags & 15}")
        elif step.op is Op.MREMAP:
            out.append(
                f"MREMAP {step.a >> 12:x}-{step.b >> 12:x} {step.c >> 12:x}-{step.d >> 12:x}"
            )
        elif step.op in (Op.MAP, Op.UNMAP, Op.PROTECT, Op.ZAP):
            sign = "~" if step.arg & IMPLICIT else ""
            prot = f" {step.arg & 7}" if step.op in (Op.MAP, Op.PROTECT) else ""
            out.append(f"{sign}{step.op.name} {step.a >> 12:x}-{step.b >> 12:x}{prot}")
        else:
            out.append(step.op.name)
    return out


def planner(folder: Path) -> Planner:
    """A function that plans texts as if they were trace files; they are written into ``folder``."""

    def plan(*texts: str, lenient: bool = False) -> TracePlan:
        names = []
        for number, text in enumerate(texts):
            path = folder / f"trace{number}"
            path.write_text(text)
            names.append(str(path))
        return build_plan(names, lenient=lenient)

    return plan
