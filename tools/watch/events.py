# SPDX-License-Identifier: MIT
"""Reading ``events.bin``, the flight recorders of a run (``tools/supervisor/event_log.py`` writes it).

One line per event in the style of ftrace: actor, time since the start, event, fields. `dev_send` and `dev_receive` are the device's
view of a group, `sva_iopf_handler` is its step into the work queue, `iopf_group_response` its answer, `hw_prs` a request that found the
queue full.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgpack
from iopf.tools.status import Failed, Status

RUNS = Path("iopf-runs")
_CODES = {0: "SUCCESS", 1: "INVALID", 15: "FAILURE"}
_PRO = 2
_BYTES_MOST = 1 << 30


class EventsError(Failed):
    """The file is not an event log; the text says where and what to do."""

    status = Status.USAGE


@dataclass(frozen=True, slots=True)
class Event:
    """`t_ns` since the start of the run; `device` is empty for events without one; `fields` by name."""

    t_ns: int
    actor: str
    event: str
    device: str
    fields: dict[str, int | str]

    def line(self) -> str:
        said = {"dev": self.device, **self.fields} if self.device else self.fields
        rest = " ".join(f"{name}={value}" for name, value in said.items())
        return f"{self.actor:>16} {self.t_ns / 1e9:12.6f}: {self.event}: {rest}"


@dataclass(slots=True)
class EventLog:
    """`overwritten`: number of overwritten events by actor. `cut`: what is missing at the end of the file, or an empty string."""

    path: Path
    actors: list[str]
    devices: list[str]
    overwritten: dict[str, int]
    events: list[Event]
    cut: str = ""

    def document(self) -> dict[str, Any]:
        return {
            "type": "events",
            "schema": "iopf/1",
            "file": str(self.path),
            "actors": self.actors,
            "devices": self.devices,
            "overwritten": self.overwritten,
            "cut": self.cut,
            "events": [asdict(event) for event in self.events],
        }


def find_log(place: Path | None) -> Path:
    """The log in the directory of a run, or a file; without an argument, of the newest run here with a log. Raises EventsError."""
    if place is None:
        logs = sorted(RUNS.glob("*/events.bin"), key=lambda log: log.stat().st_mtime_ns)
        if not logs:
            raise EventsError(f"no run in {RUNS} has an events.bin; `iopf run -v` writes one")
        return logs[-1]
    if place.is_dir():
        log = place / "events.bin"
        if not log.exists():
            raise EventsError(f"{place}: has no events.bin; a run writes one with -v or on failure")
        return log
    return place


def read_log(path: Path) -> EventLog:
    """Raises EventsError for a file that is not a log, or a damaged one. A log that only ends early is read as far as it goes."""
    try:
        with path.open("rb") as file:
            values = msgpack.Unpacker(file, strict_map_key=False, max_buffer_size=_BYTES_MOST)
            first = next(values, None)
            if first is None and file.tell():
                raise ValueError("it is cut inside its header")
            header = _header(first)
            events, end = [], values.tell()
            for row in values:
                events.append(_event(header, row))
                end = values.tell()  # after what follows in part, it does not stay there
            cut = _cut(header.get("events"), len(events), file.tell() - end)
    except OSError as error:
        raise EventsError(f"{path}: cannot read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, IndexError, msgpack.UnpackException) as error:
        what = str(error) or type(error).__name__
        raise EventsError(f"{path}: not an event log of this version: {what[:200]}") from None
    return EventLog(path, header["actors"], header["devices"], header["overwritten"], events, cut)


def _cut(written: Any, read: int, left: int) -> str:
    """What is missing of a log: `written` events by its header (None: one of before the header told), `left` bytes of the last one."""
    if isinstance(written, int):
        if read > written:
            raise ValueError(f"{read} events, its header says {written}")
        return f"the log is cut: {read:,} of {written:,} events" if read < written else ""
    return f"the log is cut inside event {read:,}" if left else ""


def _header(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("type") != "events":
        raise ValueError("no valid header")
    for name, kind, inner in (
        ("actors", list, str),
        ("devices", list, str),
        ("overwritten", dict, int),
        ("sites", dict, str),
    ):
        found = value.get(name)
        if not isinstance(found, kind):
            raise ValueError(f"no '{name}' in the header")
        entries = found.values() if isinstance(found, dict) else found
        if not all(isinstance(each, inner) for each in entries):
            raise ValueError(f"'{name}' in the header has an entry of a wrong type")
    if not all(isinstance(each, str) for each in value["overwritten"]):
        raise ValueError("'overwritten' in the header has a key that is no name")
    return value


def _event(header: dict[str, Any], row: Any) -> Event:
    t_ns, slot, site, a, b = row
    if not all(isinstance(each, int) and each >= 0 for each in row):
        raise ValueError(f"invalid event {row!r}")
    name, device, detail = str(header["sites"][site]), b >> 32, b & 0xFFFFFFFF
    of_none = name == "prq_overflow"
    return Event(
        t_ns,
        header["actors"][slot],
        name,
        "" if of_none else header["devices"][device],
        _fields(name, a, detail),
    )


def _fields(name: str, a: int, detail: int) -> dict[str, int | str]:
    high, low = detail >> 16, detail & 0xFFFF
    if name == "dev_send":
        return {"request": a, "records": high, "prgi": low}
    if name == "dev_receive":
        return {"request": a, "code": _code(high), "prgi": low}
    if name == "sva_iopf_handler":
        return {"request": a, "faults": detail}
    if name == "iopf_group_response":
        return {"request": a, "code": _code(detail)}
    if name in ("sva_bind", "sva_unbind"):
        return {"pasid": a}
    if name == "prq_overflow":
        return {"overflows": a}
    if name == "hw_prs":  # a request that found the queue full
        return {"request": a, "set": "PRO" if detail == _PRO else detail}
    return {"request": a, "detail": detail}


def _code(number: int) -> str:
    return _CODES.get(number, str(number))


def chosen(log: EventLog, actors: tuple[str, ...], device: str | None) -> Iterator[Event]:
    """The events of these actors, if any are given, and of this device."""
    for event in log.events:
        if (not actors or event.actor in actors) and (device is None or event.device == device):
            yield event
