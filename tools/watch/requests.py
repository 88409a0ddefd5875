# SPDX-License-Identifier: MIT
"""Requests in an event log: which group each belongs to, and what became of it.

Devices, hardware and kernel name a group by its last request. `dev_send` has the numbers of all: the device that sends a group
knows them. So each event about a group is given the requests of that group, and reads the same whichever process recorded it.
Where the ring of the device has overwritten `dev_send`, an event has the last request only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from iopf.tools.supervisor.status_line import span
from iopf.tools.watch.event_fields import Fields

if TYPE_CHECKING:
    from iopf.tools.watch.events import Event


class Groups:
    """The groups of all devices, from their `dev_send` events in the order of time."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], list[int]] = {}
        self._of: dict[tuple[str, int], list[int]] = {}

    def send(self, device: str, sent: Fields) -> None:
        assert sent.prgi is not None
        place = device, sent.prgi
        if not sent.continued or place not in self._open:
            self._open[place] = []
        group = self._open[place]
        group += sent.requests
        self._of.update(dict.fromkeys(((device, number) for number in sent.requests), group))

    def of(self, device: str, number: int) -> tuple[int, ...]:
        """The requests of the group of this one; itself alone when its `dev_send` is gone."""
        return tuple(self._of.get((device, number), (number,)))


def ranges(numbers: Sequence[int]) -> str:
    """`0-3,8`"""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


@dataclass(slots=True)
class Fate:
    """What became of one request, as far as the events tell. Times in ns since the start of the run."""

    device: str
    request: int
    group: tuple[int, ...] = ()
    sent_ns: int | None = None
    received_ns: int | None = None
    code: str = ""
    by: str = ""
    fates: list[str] = field(default_factory=list)

    def line(self) -> str:
        head = f"{self.device} request {self.request}"
        if len(self.group) > 1:
            head += f" of the group {ranges(self.group)}"
        sent = f"sent at {self.sent_ns / 1e9:.6f}" if self.sent_ns is not None else "sent earlier"
        return f"{head}: {sent}, {self._end()}"

    def document(self) -> dict[str, Any]:
        return {
            "device": self.device,
            "request": self.request,
            "group": list(self.group),
            "sent_ns": self.sent_ns,
            "received_ns": self.received_ns,
            "code": self.code or None,
            "fates": self.fates,
            "text": self.line(),
        }

    def _end(self) -> str:
        after = ""
        if self.received_ns is not None and self.sent_ns is not None:
            after = f" after {span(self.received_ns - self.sent_ns)}"
        answer = f"answered {self.code}{self.by}{after}" if self.code else ""
        lost = next((fate for fate in self.fates if fate.startswith("lost")), "")
        refused = next((fate for fate in self.fates if fate.startswith("refused")), "")
        if lost:
            return f"{lost}; its group was {answer}" if answer else lost
        if refused:
            return f"{refused}, {answer}" if answer else refused
        return answer or "no answer recorded"


def fate_of(events: Iterable[Event], device: str, request: int) -> Fate:
    """Follow one request through its events."""
    fate = Fate(device, request)
    for event in events:
        if event.device != device or request not in event.requests:
            continue
        fate.group = event.requests if len(event.requests) > len(fate.group) else fate.group
        if event.event == "dev_send" and request in event.sent:
            fate.sent_ns = event.t_ns
        elif event.event == "dev_receive":
            fate.received_ns, fate.code = event.t_ns, str(event.fields["code"])
        elif event.event == "hw_respond" and event.fields.get("by") == "hardware":
            fate.by = " by the hardware"
        elif event.event in ("hw_request", "kern_fate"):
            fate.fates.append(str(event.fields["fate"]))
    return fate


def about(events: Sequence[Event], request: int, device: str | None) -> list[Event]:
    """The events of one request and its group, and of the interrupt that announced the group to the kernel."""
    found: list[Event] = []
    for event in events:
        own = request in event.requests and device in (None, event.device)
        if own or (event.event == "hw_interrupt" and _announces(event, found)):
            found.append(event)
    return found


def _announces(interrupt: Event, before: Sequence[Event]) -> bool:
    """Whether the queue write that precedes it is the last thing that has happened to the request."""
    if not before or before[-1].event != "hw_prq_write":
        return False
    return before[-1].actor == interrupt.actor


def with_group(event: Event, groups: Groups) -> Event:
    """The event with all requests of its group."""
    if not event.of_group or not event.requests:
        return event
    return replace(event, requests=groups.of(event.device, event.requests[-1]))
