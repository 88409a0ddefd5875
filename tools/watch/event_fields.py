# SPDX-License-Identifier: MIT
"""What the two numbers of a recorded event say, by its site.

`note_event` and `note_step` (`emulator/board/board.pxd`) record ``a`` and ``b`` = device << 32 | detail. ``a`` is the number of a
request within its device; an event about a group has that of its last request, `dev_send` that of the first request it sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CODES = {0: "SUCCESS", 1: "INVALID", 2: "FAILURE", 15: "FAILURE"}  # Linux's VT-d driver sends 2
# `emulator/board/ledger.pxd`, in the words of the account (`emulator/check/account.py`).
FATES = {
    1: "queued",
    2: "SUCCESS by the hardware (overflow)",
    3: "INVALID by the hardware",
    4: "lost: overflow",
    5: "lost: refused by the tables",
    6: "lost: link down",
    9: "lost: overflow, partial discarded",
    10: "lost: device removed",
    11: "refused by the driver",
    12: "lost: no memory",
    13: "lost: never answered",
    14: "SUCCESS before its last request",
}
NO_NUMBER = (1 << 56) - 1  # an event that a driver reported without a request
GROUP_MOST = 64

_PRO = 2
_CONTINUED = 1 << 15
_EARLY = 2
_OF_NO_DEVICE = ("prq_overflow", "hw_interrupt")
_OF_ONE_REQUEST = ("hw_prq_write", "hw_request", "hw_prs", "kern_fate")
_OF_A_GROUP = ("sva_iopf_handler", "iopf_group_response", "qi_submit", "hw_respond", "dev_receive")


@dataclass(frozen=True, slots=True)
class Fields:
    """`requests`: the numbers that the event itself has; `fields`: the rest by name; `group`: the event is about the whole group of its
    request; `prgi` and `continued`: of `dev_send`, which begins or continues a group with this index."""

    requests: tuple[int, ...] = ()
    fields: dict[str, int | str] = field(default_factory=dict)
    group: bool = False
    prgi: int | None = None
    continued: bool = False


def device_of(name: str, b: int) -> int | None:
    """The index of the device, if the event has one."""
    return None if name in _OF_NO_DEVICE else b >> 32


def fields_of(name: str, a: int, b: int) -> Fields:
    detail = b & 0xFFFFFFFF
    high, low = detail >> 16, detail & 0xFFFF
    if name == "dev_send":
        return _sent(a, high, low)
    if name in ("sva_bind", "sva_unbind"):
        return Fields((), {"pasid": a})
    if name == "prq_overflow":
        return Fields((), {"overflows": a})
    if name == "hw_interrupt":
        return Fields((), {"interrupts": a})
    requests = () if a == NO_NUMBER else (a,)
    if name in _OF_ONE_REQUEST:
        return Fields(requests, _of_one(name, detail))
    if name in _OF_A_GROUP:
        early = name == "hw_respond" and low == _EARLY
        return Fields(requests, _of_group(name, detail), group=not early)
    return Fields(requests, {"detail": detail})


def _sent(first: int, count: int, low: int) -> Fields:
    if count > GROUP_MOST:
        raise ValueError(f"a group of {count} requests")
    prgi = low & ~_CONTINUED
    numbers = tuple(range(first, first + count))
    return Fields(numbers, {"prgi": prgi}, True, prgi, bool(low & _CONTINUED))


def _of_one(name: str, detail: int) -> dict[str, int | str]:
    if name == "hw_prq_write":
        return {}
    if name == "hw_prs":  # a request that found the queue full
        return {"set": "PRO" if detail == _PRO else detail}
    return {"fate": FATES.get(detail, str(detail))}


def _of_group(name: str, detail: int) -> dict[str, int | str]:
    high, low = detail >> 16, detail & 0xFFFF
    if name == "sva_iopf_handler":
        return {"count": detail}
    if name == "dev_receive":
        return {"code": code(high), "prgi": low}
    if name == "hw_respond":
        by = {1: {"by": "hardware"}, _EARLY: {"by": "driver, early"}}.get(low, {})
        return {"code": code(high), **by}
    return {"code": code(detail)}


def code(number: int) -> str:
    return CODES.get(number, str(number))
