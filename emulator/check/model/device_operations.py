# SPDX-License-Identifier: MIT
"""Operations of devices and drivers."""

from __future__ import annotations

from collections.abc import Callable

from iopf.emulator.check.model import hardware, lifecycle
from iopf.emulator.check.model.objects import (
    EBUSY,
    EFAULT,
    EINVAL,
    ENODEV,
    EOPNOTSUPP,
    RID,
    Device,
    Request,
)
from iopf.emulator.check.model.operands import device_of, pages_of, tenant_of
from iopf.emulator.check.model.state import OTHERS, State, Waiting
from iopf.emulator.check.model.teardown import discard_partial, drain
from iopf.emulator.program.lines import Line

PRGIS = 512


def _pasid(state: State, line: Line) -> int | None:
    """The PASID of a request: None without one, 0 when the tenant has none."""
    if "rid" in line.flags:
        return None
    given = line.maybe("pasid")
    if given is not None:
        return given
    mm = tenant_of(state, line).mm
    return 0 if mm is None else mm.pasid


def _prgi(device: Device, line: Line) -> int:
    """The group index: of the continued group, the requested one, or the next."""
    label = line.label
    if label is not None and label in device.sending:
        prgi = device.sending.pop(label)
    elif (given := line.maybe("prgi")) is not None:
        prgi = given
    else:
        prgi, device.next_prgi = device.next_prgi, (device.next_prgi + 1) % PRGIS
    device.labels[prgi] = label or OTHERS
    if label is not None:
        device.waiting.add(label)
        if "open" in line.flags:
            device.sending[label] = prgi
    return prgi


def _send(state: State, line: Line) -> int:
    """-ENODEV: PRI is off. -EFAULT: the tenant has no PASID."""
    device = device_of(state, line)
    pasid = _pasid(state, line)
    if not device.registered or device.pri_off:
        return ENODEV
    if pasid == RID and line.maybe("pasid") is None:
        return EFAULT
    prgi = _prgi(device, line)
    pages = pages_of(line)
    for page in pages:
        last = page == pages[-1] and "open" not in line.flags
        hardware.submit(state, Request(device, pasid, prgi, page, line.number("rw"), last))
    return 0


def _await(state: State, line: Line) -> Waiting:
    device = device_of(state, line)
    while line.label in device.waiting if line.label else device.waiting:
        yield f"d{device.index} awaits {line.label or 'its groups'}"
    return 0


def _marker(state: State, line: Line) -> int:
    hardware.marker(state)
    return 0


def _reset(state: State, line: Line) -> int:
    device = device_of(state, line)
    device.labels.clear()
    device.sending.clear()
    device.waiting.clear()
    return 0


def _wait_bound(state: State, line: Line) -> Waiting:
    while line.number("device") not in tenant_of(state, line).files:
        yield f"d{line.number('device')} waits to be bound"
    return 0


def _queue_remove(state: State, line: Line) -> int:
    state.flow.remove(state, device_of(state, line))
    return 0


def _register(state: State, line: Line) -> int:
    device = device_of(state, line)
    if not state.flow.registers:
        return EOPNOTSUPP
    if device.handler:
        return EBUSY
    device.handler = True
    return 0


def _unregister(state: State, line: Line) -> int:
    """-EBUSY while responses are pending: a teardown that fails (4.13)."""
    device = device_of(state, line)
    if not state.flow.registers:
        return EOPNOTSUPP
    if not device.handler:
        return EINVAL
    if device.copies:
        return EBUSY
    device.handler = False
    return 0


def _discard(state: State, line: Line) -> int:
    discard_partial(state, "overflow, partial discarded")
    return 0


def _report(state: State, line: Line) -> int:
    device = device_of(state, line)
    prgi = _prgi(device, line)
    last = "open" not in line.flags
    pasid = None if "rid" in line.flags else line.number("pasid")
    request = Request(
        device, pasid, prgi, line.number("at"), line.number("rw"), last, line.number("type")
    )
    return state.flow.report(state, request)


def _respond(state: State, line: Line) -> int:
    """To v6.8 an answer needs a pending response (-EINVAL); later drivers can only tell the hardware."""
    device, prgi, code = device_of(state, line), line.number("prgi"), line.number("code")
    if not state.flow.registers:
        state.answer(Request(device, line.number("pasid"), prgi, 0, 0, True), code)
        return 0
    group = next((g for g in device.copies if g.last.prgi == prgi), None)
    if group is None:
        return EINVAL
    state.flow.respond(state, group, code)
    return 0


def _fail(state: State, line: Line) -> int:
    state.fails[line.number("pool")] = line.number("nth")
    return 0


def _refuse(state: State, line: Line) -> int:
    state.refuse = line.number("count")
    return 0


def _hold(state: State, line: Line) -> int:
    state.held |= line.number("unit")
    return 0


def _let_go(state: State, line: Line) -> int:
    state.held &= ~line.number("unit")
    return 0


AT_ONCE: dict[str, Callable[[State, Line], int]] = {
    "send": _send,
    "marker": _marker,
    "reset": _reset,
    "plug": lambda state, line: lifecycle.plug(state, device_of(state, line)),
    "queue-add": lambda state, line: lifecycle.queue_add(state, device_of(state, line)),
    "queue-remove": _queue_remove,
    "register": _register,
    "unregister": _unregister,
    "discard": _discard,
    "report": _report,
    "respond": _respond,
    "fail": _fail,
    "refuse": _refuse,
    "hold": _hold,
    "let-go": _let_go,
}


def _recover(state: State, line: Line) -> Waiting:
    device = device_of(state, line)
    if not device.pri_off:
        return 0
    ret = yield from lifecycle.remove(state, device)
    return ret or lifecycle.plug(state, device)


WAITING: dict[str, Callable[[State, Line], Waiting]] = {
    "await": _await,
    "wait-bound": _wait_bound,
    "remove": lambda state, line: lifecycle.remove(state, device_of(state, line)),
    "recover": _recover,
    "flush": lambda state, line: state.flow.flush(state, device_of(state, line)),
    "drain": lambda state, line: drain(state, device_of(state, line), line.number("pasid")),
}
