# SPDX-License-Identifier: MIT
"""The account: every request of a device is answered, in flight, or lost, with a reason.

Three sides keep their own counters (``emulator/board/devices.pxd``: ``devside``, ``hwside``, ``kernside``). The output of one side is
the input of the next:

    sent        = received by the hardware + on the link
    received    = enqueued + answered by the hardware + dropped by it + lost with the link
    enqueued    = read by the kernel + in the queue
    read        = answered + partial lost + refused + held now (partial or in a group)
    sent        = retired by responses + open + forgotten
At rest no request is on a link, in the queue, held or open, unless its device was removed by surprise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Side = Mapping[str, int]


@dataclass(slots=True)
class Totals:
    """Requests of one device, or of all; the fields add up to ``sent``."""

    sent: int = 0
    answered_ok: int = 0
    answered_invalid: int = 0
    answered_failure: int = 0
    auto_success: int = 0
    auto_invalid: int = 0
    rejected: int = 0
    lost: dict[str, int] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        kernel = self.answered_ok + self.answered_invalid + self.answered_failure + self.rejected
        return kernel + self.auto_success + self.auto_invalid

    @property
    def lost_total(self) -> int:
        return sum(self.lost.values())

    @property
    def in_flight(self) -> int:
        return self.sent - self.answered - self.lost_total

    def add(self, other: Totals) -> None:
        for name in (
            "sent",
            "answered_ok",
            "answered_invalid",
            "answered_failure",
            "auto_success",
            "auto_invalid",
            "rejected",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.lost.items():
            self.lost[reason] = self.lost.get(reason, 0) + count


def device_totals(device: Mapping[str, Any]) -> Totals:
    """The account of one device from its snapshot (``Snapshot.device``)."""
    dev, hw, kern = device["device"], device["hardware"], device["kernel"]
    # Requests that a dead device published and the hardware did not read are lost with its link.
    sent = dev["sent"] if device["link_up"] else max(hw["received"], 0)
    lost = {
        "overflow": hw["drop_overflow"],
        "overflow, partial discarded": kern["discarded"],
        "refused by the tables": hw["drop_refused"],
        "link down": hw["link_down"],
        "device removed": kern["freed"],
        "no memory": kern["dropped_nomem"],
        "never answered": kern["unanswered"],
    }
    return Totals(
        sent=sent + kern["injected"],
        answered_ok=kern["answered_ok"] + kern["acknowledged"],
        answered_invalid=kern["answered_invalid"],
        answered_failure=kern["answered_failure"],
        auto_success=hw["auto_success"],
        auto_invalid=hw["auto_invalid"],
        rejected=kern["rejected"],
        lost={reason: count for reason, count in lost.items() if count},
    )


def totals(devices: Sequence[Mapping[str, Any]]) -> Totals:
    out = Totals()
    for device in devices:
        out.add(device_totals(device))
    return out


def _differ(name: str, left: str, a: int, right: str, b: int) -> list[str]:
    return [] if a == b else [f"{name}: {left} is {a}, {right} is {b} ({a - b:+d})"]


def check_device(name: str, device: Mapping[str, Any]) -> list[str]:
    """Disagreements of one device at rest, one per line; empty if the three sides agree."""
    dev, hw, kern = device["device"], device["hardware"], device["kernel"]
    received = (
        hw["enqueued"]
        + hw["auto_success"]
        + hw["auto_invalid"]
        + hw["drop_overflow"]
        + hw["drop_refused"]
        + hw["link_down"]
    )
    read = (
        kern["answered_ok"]
        + kern["answered_invalid"]
        + kern["answered_failure"]
        + kern["discarded"]
        + kern["freed"]
        + kern["rejected"]
        + kern["dropped_nomem"]
        + kern["unanswered"]
        + kern["acknowledged"]
        + kern["partial"]
    )
    out = _differ(name, "received by the hardware", hw["received"], "its outcomes", received)
    out += _differ(
        name, "enqueued", hw["enqueued"], "read by the kernel", kern["popped"] - kern["markers"]
    )
    taken = kern["popped"] - kern["markers"] + kern["injected"]
    out += _differ(name, "read by the kernel", taken, "its outcomes", read)
    if kern["partial"]:
        out.append(f"{name}: {kern['partial']} requests are still on the partial list")
    if kern["pending"]:
        out.append(f"{name}: {kern['pending']} groups are still pending")
    if not device["link_up"]:
        return out
    retired = dev["retired_ok"] + dev["retired_invalid"] + dev["retired_failure"] + dev["forgotten"]
    out += _differ(name, "sent", dev["sent"], "received by the hardware", hw["received"])
    out += _differ(
        name, "sent", dev["sent"], "retired by responses", retired + dev["open_requests"]
    )
    if dev["open_requests"] and not dev["failed"]:
        out.append(f"{name}: {dev['open_requests']} requests are still in flight")
    return out


def check_pools(pools: Mapping[str, Mapping[str, int]], pasids: int) -> list[str]:
    """Leaks at rest: live objects, unreachable slots, allocated PASIDs."""
    out = []
    for name, pool in pools.items():
        if pool["live"]:
            out.append(f"leak: {pool['live']} {name} objects are still allocated")
        if pool["lost"]:
            out.append(f"leak: {pool['lost']} {name} slots are in no list")
    if pasids:
        out.append(f"leak: {pasids} PASIDs are still allocated")
    return out
