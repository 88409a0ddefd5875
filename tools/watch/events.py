# SPDX-License-Identifier: MIT
"""Reading ``events.bin``, the flight recorders of a run (``tools/supervisor/event_log.py`` writes it).

One line per event in the style of ftrace: actor, time since the start, event, fields (`tools/watch/event_fields.py`). The way of a group:
`dev_send`, `hw_prq_write` for each request, `hw_interrupt`, `sva_iopf_handler` (queued for a handler), `iopf_group_response`, `qi_submit`
(the answer goes to the command queue), `hw_respond`, `dev_receive`. `hw_request` and `kern_fate` say why a request takes no such way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgpack
from iopf.tools.status import Failed, Status
from iopf.tools.watch.event_fields import device_of, fields_of
from iopf.tools.watch.requests import Fate, Groups, ranges, with_group

RUNS = Path("iopf-runs")
FORMAT = 2
_BYTES_MOST = 1 << 30


class EventsError(Failed):
    """The file is not an event log; the text says where and what to do."""

    status = Status.USAGE


@dataclass(frozen=True, slots=True)
class Event:
    """`t_ns` since the start of the run; `device` is empty for events without one; `requests`: numbers within the device, of the whole
    group if the event is about one (`of_group`); `sent`: those that a `dev_send` sends; `fields`: the rest by name."""

    t_ns: int
    actor: str
    event: str
    device: str
    requests: tuple[int, ...]
    fields: dict[str, int | str]
    of_group: bool = False
    sent: tuple[int, ...] = ()

    def line(self) -> str:
        said: dict[str, int | str] = {"dev": self.device} if self.device else {}
        numbers = self.sent or self.requests
        if numbers:
            said["request" if len(numbers) == 1 else "requests"] = ranges(numbers)
        rest = " ".join(
            f"{name}={_quoted(value)}" for name, value in {**said, **self.fields}.items()
        )
        return f"{self.actor:>16} {self.t_ns / 1e9:12.6f}: {self.event}: {rest}"

    def document(self) -> dict[str, Any]:
        return {
            "t_ns": self.t_ns,
            "actor": self.actor,
            "event": self.event,
            "device": self.device,
            "requests": list(self.requests),
            "fields": self.fields,
        }


def _quoted(value: int | str) -> int | str:
    return f'"{value}"' if isinstance(value, str) and " " in value else value


@dataclass(slots=True)
class EventLog:
    """`overwritten`: number of overwritten events by actor. `cut`: what is missing at the end of the file, or an empty string."""

    path: Path
    actors: list[str]
    devices: list[str]
    overwritten: dict[str, int]
    events: list[Event]
    cut: str = ""

    def document(self, fates: Sequence[Fate] = ()) -> dict[str, Any]:
        return {
            "type": "events",
            "schema": "iopf/1",
            "file": str(self.path),
            "actors": self.actors,
            "devices": self.devices,
            "overwritten": self.overwritten,
            "cut": self.cut,
            "fates": [fate.document() for fate in fates],
            "events": [event.document() for event in self.events],
        }


def find_log(place: Path | None) -> Path:
    """The log in the directory of a run, or a file; without an argument, of the newest run here with a log. Raises EventsError."""
    if place is None:
        logs = sorted(RUNS.glob("*/events.bin"), key=lambda log: log.stat().st_mtime_ns)
        if not logs:
            raise EventsError(f"no run in {RUNS} has an events.bin; `iopf run` writes one")
        return logs[-1]
    if place.is_dir():
        log = place / "events.bin"
        if not log.exists():
            raise EventsError(
                f'{place}: has no events.bin; a run with system.events = "none" writes none'
            )
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
            groups = Groups()
            events, end = [], values.tell()
            for row in values:
                events.append(_event(header, row, groups))
                end = values.tell()  # after what follows in part, it does not stay there
            cut = _cut(header.get("events"), len(events), file.tell() - end)
    except OSError as error:
        raise EventsError(f"{path}: cannot read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, IndexError, msgpack.UnpackException) as error:
        what = str(error) or type(error).__name__
        raise EventsError(f"{path}: not an event log of this version: {what[:200]}") from None
    events = [with_group(event, groups) for event in events]
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
    if value.get("format") != FORMAT:
        raise ValueError(f"its format is {value.get('format')!r}, not {FORMAT}")
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


def _event(header: dict[str, Any], row: Any, groups: Groups) -> Event:
    t_ns, slot, site, a, b = row
    if not all(isinstance(each, int) and each >= 0 for each in row):
        raise ValueError(f"invalid event {row!r}")
    name = str(header["sites"][site])
    index = device_of(name, b)
    device = "" if index is None else header["devices"][index]
    found = fields_of(name, a, b)
    event = Event(
        t_ns, header["actors"][slot], name, device, found.requests, found.fields, found.group
    )
    if found.prgi is not None:
        groups.send(device, found)
        event = replace(event, sent=found.requests)
    return event


def chosen(log: EventLog, actors: tuple[str, ...], device: str | None) -> Iterator[Event]:
    """The events of these actors, if any are given, and of this device."""
    for event in log.events:
        if (not actors or event.actor in actors) and (device is None or event.device == device):
            yield event
