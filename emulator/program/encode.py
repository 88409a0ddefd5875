"""Encoding of a line as records. The fields are those of `emulator/spec/program.pxd`."""

from __future__ import annotations

from collections.abc import Callable

from iopf.emulator.program.groups import Labels
from iopf.emulator.program.lines import TRY, Line
from iopf.emulator.program.verbs import PROGRAM_BASE
from iopf.emulator.spec import program as spec
from iopf.emulator.trace.program import PAGE_BYTES, Record, map_arg


def address(line: Line) -> int:
    """The byte address of `at=`."""
    return PROGRAM_BASE + line.number("at") * PAGE_BYTES


def _range(line: Line) -> tuple[int, int]:
    start = address(line)
    return start, start + line.number("pages") * PAGE_BYTES


def _map(line: Line, op: int) -> Record:
    start, end = _range(line)
    return Record(op, arg=map_arg(line.number("prot"), anonymous=True), a=start, b=end)


def _protect(line: Line, op: int) -> Record:
    start, end = _range(line)
    return Record(op, arg=line.number("prot"), a=start, b=end)


def _span(line: Line, op: int) -> Record:
    start, end = _range(line)
    return Record(op, a=start, b=end)


def _device(line: Line, op: int) -> Record:
    return Record(op, arg=line.number("device"))


def _fault(line: Line, op: int) -> Record:
    return Record(op, arg=line.number("fault"))


def _attach(line: Line, op: int) -> Record:
    sink = line.maybe("fault")
    return Record(
        op,
        arg=line.number("device"),
        a=line.maybe("pasid") or 0,
        b=line.number("domain"),
        c=0 if sink is None else sink + 1,
    )


def _write(line: Line, op: int) -> Record:
    cookie = line.maybe("cookie")
    return Record(
        op,
        arg=line.number("fault"),
        a=line.maybe("nth") or 0,
        b=line.number("code"),
        c=0 if cookie is None else cookie + 1,
    )


def _request_flags(line: Line) -> int:
    last = 0 if "open" in line.flags else spec.FLAG_LAST
    return line.number("rw") | last | (spec.FLAG_RID if "rid" in line.flags else 0)


def _plus_one(value: int | None) -> int:
    return 0 if value is None else value + 1


def _send(line: Line, op: int, labels: Labels) -> Record:
    label = labels.number(line.number("device"), line.label)
    return Record(
        op,
        flags=_request_flags(line),
        arg=_plus_one(line.maybe("tenant")),
        a=address(line),
        b=_plus_one(line.maybe("pasid")),
        c=line.number("pages") | label << 16 | _plus_one(line.maybe("prgi")) << 32,
    )


def _await(line: Line, op: int, labels: Labels) -> Record:
    label = 0 if line.label is None else labels.number(line.number("device"), line.label) + 1
    return Record(op, arg=label, b=_plus_one(line.maybe("code")))


def _report(line: Line, op: int, labels: Labels) -> Record:
    label = 0 if line.label is None else labels.number(line.number("device"), line.label) + 1
    return Record(
        op,
        flags=_request_flags(line),
        arg=line.number("device"),
        a=address(line),
        b=line.maybe("pasid") or 0,
        c=line.number("prgi") | line.number("type") << 16,
        d=label,
    )


_PLAIN: dict[str, Callable[[Line, int], Record]] = {
    "map": _map,
    "unmap": _span,
    "protect": _protect,
    "zap": _span,
    "touch": _protect,
    "bind": _device,
    "unbind": _device,
    "exec": lambda line, op: Record(op),
    "exit": lambda line, op: Record(op),
    "spawn": lambda line, op: Record(op),
    "fork": lambda line, op: Record(op, arg=line.number("child")),
    "wait-devices": lambda line, op: Record(op),
    "fault-alloc": _fault,
    "fault-close": _fault,
    "attach": _attach,
    "replace": _attach,
    "detach": lambda line, op: Record(op, arg=line.number("device"), a=line.maybe("pasid") or 0),
    "read": lambda line, op: Record(
        op,
        arg=line.number("fault"),
        a=line.number("bytes"),
        b="unmapped" in line.flags,
    ),
    "write": _write,
    "serve": lambda line, op: Record(
        op, arg=line.number("fault"), a=line.number("groups"), b=line.number("code")
    ),
    "marker": lambda line, op: Record(
        op, arg=_plus_one(line.maybe("tenant")), b=_plus_one(line.maybe("pasid"))
    ),
    "translate": lambda line, op: Record(
        op,
        flags=line.number("rw") | (spec.FLAG_RID if "rid" in line.flags else 0),
        arg=_plus_one(line.maybe("tenant")),
        a=address(line),
        b=_plus_one(line.maybe("pasid")),
        c=line.number("pages"),
    ),
    "reset": lambda line, op: Record(op),
    "overflow": lambda line, op: Record(op, arg=line.number("tenant") + 1, a=address(line)),
    "wait-bound": lambda line, op: Record(op, arg=line.number("tenant")),
    "plug": _device,
    "remove": _device,
    "unplug": _device,
    "queue-add": _device,
    "queue-remove": _device,
    "register": _device,
    "unregister": _device,
    "recover": _device,
    "flush": _device,
    "discard": _device,
    "respond": lambda line, op: Record(
        op,
        arg=line.number("device"),
        a=line.number("pasid"),
        b=line.number("prgi"),
        c=line.number("code"),
    ),
    "drain": lambda line, op: Record(op, arg=line.number("device"), a=line.number("pasid")),
    "fail": lambda line, op: Record(op, arg=line.number("pool"), a=line.number("nth")),
    "refuse": lambda line, op: Record(op, a=line.number("count")),
    "hold": lambda line, op: Record(op, arg=line.number("unit")),
    "let-go": lambda line, op: Record(op, arg=line.number("unit")),
    "settle": lambda line, op: Record(op),
    "start": lambda line, op: Record(op),
    "pause": lambda line, op: Record(op, a=line.number("duration")),
}
_LABELLED: dict[str, Callable[[Line, int, Labels], Record]] = {
    "send": _send,
    "await": _await,
    "expect": _await,
    "report": _report,
}


def encode(line: Line, labels: Labels, barriers: list[str]) -> list[Record]:
    """The records of a line outside a block's frame: one, and two for `rebind`.

    `barriers`: names of all barriers; a record has the index of its name.
    """
    name, op = line.verb.name, line.verb.op
    if name == "rebind":
        records = [_device(line, spec.DO_UNBIND), _device(line, spec.DO_BIND)]
    elif name == "barrier":
        records = [Record(op, arg=barriers.index(str(line.values["name"])))]
    elif name in _LABELLED:
        records = [_LABELLED[name](line, op, labels)]
    else:
        records = [_PLAIN[name](line, op)]
    if TRY not in line.flags:
        return records
    return [record._replace(flags=record.flags | spec.FLAG_TRY) for record in records]
