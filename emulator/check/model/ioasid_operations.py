# SPDX-License-Identifier: MIT
"""IOASID verbs in the model: the calls of `ioasid_model`."""

from __future__ import annotations

from collections.abc import Callable

from iopf.emulator.board.ioasid import IoasidStep
from iopf.emulator.check.ioasid_model import INVALID_IOASID, Ops
from iopf.emulator.check.model.objects import ENOMEM
from iopf.emulator.check.model.state import State
from iopf.emulator.program.lines import Line


def _register(state: State, line: Line) -> int:
    function = line.number("variant") << 8 | line.number("host") + 1
    return state.ioasid.register(
        Ops(line.number("allocator"), function, function, line.number("pdata"))
    )


def _unregister(state: State, line: Line) -> int:
    state.ioasid.unregister(line.number("allocator"))
    return 0


def _alloc(state: State, line: Line) -> int:
    number = state.ioasid.alloc(
        line.number("set"), line.number("min"), line.number("max"), line.number("private")
    )
    return ENOMEM if number == INVALID_IOASID else 0


def _find(state: State, line: Line) -> int:
    return state.ioasid.find(line.number("set"), line.number("id"))[0]


def _set(state: State, line: Line) -> int:
    return state.ioasid.set_data(line.number("id"), line.number("private"))


def _free(state: State, line: Line) -> int:
    state.ioasid.free(line.number("id"))
    return 0


def _fail(state: State, line: Line) -> int:
    step, nth = IoasidStep(line.number("step")), line.number("nth")
    host = state.ioasid.hosts[line.number("host")]
    if step == IoasidStep.STEP_HOST:
        host.refuse_nth = nth
    elif step == IoasidStep.STEP_REPEAT:
        host.repeat_nth = nth
    else:
        state.ioasid.record_fail_nth = nth
    return 0


AT_ONCE: dict[str, Callable[[State, Line], int]] = {
    "ioasid-register": _register,
    "ioasid-unregister": _unregister,
    "viommu-unplug": _unregister,
    "ioasid-alloc": _alloc,
    "ioasid-find": _find,
    "ioasid-set": _set,
    "ioasid-free": _free,
    "ioasid-fail": _fail,
}
