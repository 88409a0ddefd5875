# SPDX-License-Identifier: MIT
"""Operations of tenants: address spaces, binding, fault objects of user space."""

from __future__ import annotations

from collections.abc import Callable

from iopf.emulator.check.model import lifecycle, memory, userspace
from iopf.emulator.check.model.objects import (
    EBUSY,
    EFAULT,
    EOPNOTSUPP,
    RID,
    DomainKind,
    FaultObject,
    Mm,
    Tenant,
)
from iopf.emulator.check.model.operands import device_of, pages_of, tenant_of
from iopf.emulator.check.model.state import State, Waiting
from iopf.emulator.program.lines import Line


def _map(state: State, line: Line, tenant: Tenant) -> int:
    if tenant.mm is None:
        return EFAULT
    tenant.mm.pages.update(dict.fromkeys(pages_of(line), line.number("prot")))
    return 0


def _unmap(state: State, line: Line, tenant: Tenant) -> int:
    if tenant.mm is None:
        return EFAULT
    for page in pages_of(line):
        tenant.mm.pages.pop(page, None)
    return 0


def _protect(state: State, line: Line, tenant: Tenant) -> int:
    return (
        EFAULT
        if tenant.mm is None
        else memory.protect(tenant.mm, pages_of(line), line.number("prot"))
    )


def _touch(state: State, line: Line, tenant: Tenant) -> int:
    return (
        EFAULT
        if tenant.mm is None
        else memory.touch(tenant.mm, pages_of(line), line.number("prot"))
    )


def _fork(state: State, line: Line, tenant: Tenant) -> int:
    if tenant.mm is None:
        return EFAULT
    child = state.tenants[line.number("child")]
    child.mm = Mm(dict(tenant.mm.pages))
    child.born = True
    return 0


def _bind(state: State, line: Line, tenant: Tenant) -> int:
    return lifecycle.bind(state, state.devices[line.number("device")], tenant)


AT_ONCE: dict[str, Callable[[State, Line, Tenant], int]] = {
    "map": _map,
    "unmap": _unmap,
    "protect": _protect,
    "zap": lambda state, line, tenant: EFAULT if tenant.mm is None else 0,
    "touch": _touch,
    "fork": _fork,
    "bind": _bind,
}


def _unbind(state: State, line: Line) -> Waiting:
    return lifecycle.unbind(state, device_of(state, line), tenant_of(state, line))


def _rebind(state: State, line: Line) -> Waiting:
    ret = yield from _unbind(state, line)
    return ret or _bind(state, line, tenant_of(state, line))


def _exec(state: State, line: Line) -> Waiting:
    return lifecycle.execve(state, tenant_of(state, line))


def _exit(state: State, line: Line) -> Waiting:
    return lifecycle.leave(state, tenant_of(state, line))


def _spawn(state: State, line: Line) -> Waiting:
    ret = yield from lifecycle.leave(state, tenant_of(state, line))
    tenant_of(state, line).mm = Mm()
    return ret


def _wait_devices(state: State, line: Line) -> Waiting:
    while any(state.devices[index].waiting for index in tenant_of(state, line).files):
        yield f"t{line.number('tenant')} waits for its devices"
    return 0


def _fault_alloc(state: State, line: Line) -> int:
    if not state.flow.user_space:
        return EOPNOTSUPP
    if line.number("fault") in state.objects:
        return EBUSY
    state.objects[line.number("fault")] = FaultObject()
    return 0


def _slot(line: Line) -> int:
    return line.maybe("pasid") or RID


def _attach(state: State, line: Line) -> int:
    how = lifecycle.attach if line.verb.name == "attach" else lifecycle.replace
    kind = DomainKind(line.number("domain"))
    return how(state, device_of(state, line), _slot(line), kind, line.maybe("fault"))


def _write(state: State, line: Line) -> int:
    nth, cookie = line.maybe("nth") or 0, line.maybe("cookie")
    return userspace.write(state, line.number("fault"), nth, cookie, line.number("code"))


FILES: dict[str, Callable[[State, Line], int]] = {
    "fault-alloc": _fault_alloc,
    "fault-close": lambda state, line: userspace.close(state, line.number("fault")),
    "attach": _attach,
    "replace": _attach,
    "read": lambda state, line: userspace.read(
        state, line.number("fault"), line.number("bytes"), mapped="unmapped" not in line.flags
    ),
    "write": _write,
}
WAITING: dict[str, Callable[[State, Line], Waiting]] = {
    "unbind": _unbind,
    "rebind": _rebind,
    "exec": _exec,
    "exit": _exit,
    "spawn": _spawn,
    "wait-devices": _wait_devices,
    "detach": lambda state, line: lifecycle.detach(state, device_of(state, line), _slot(line)),
    "serve": lambda state, line: userspace.serve(
        state, line.number("fault"), line.number("groups"), line.number("code")
    ),
}
