# SPDX-License-Identifier: MIT
"""Description of a verdict on the board, in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iopf.cython_ext.crew import VerdictKind
from iopf.emulator.board.ledger import Fate
from iopf.emulator.spec.classes import POOLS, LockClass
from iopf.emulator.spec.sites import Site


def _site(number: int) -> str:
    return Site(number).name.lower() if number in Site._value2member_map_ else f"site {number}"


def _lock(number: int) -> str:
    return (
        LockClass(number).name.lower()
        if number in LockClass._value2member_map_
        else f"class {number}"
    )


def _fate(number: int) -> str:
    return Fate(number).name.lower() if number in Fate._value2member_map_ else f"fate {number}"


def _actor(names: Sequence[str], slot: int) -> str:
    return names[slot] if 0 <= slot < len(names) else f"slot {slot}"


def describe(verdict: Mapping[str, int], names: Sequence[str]) -> str:
    """One line: finding, object, actor and place. ``names``: actors by slot."""
    kind, cls, obj = verdict["kind"], verdict["cls"], verdict["object"]
    by = f"{_actor(names, verdict['actor'])} in {_site(verdict['site'])}"
    other = _actor(names, verdict["other_actor"])
    pool = POOLS[cls] if cls < len(POOLS) else "object"
    index = (obj & 0xFFFFFFFF) - 1
    match kind:
        case VerdictKind.VERDICT_USE_AFTER_FREE:
            return f"use after free: {pool} {index}, used by {by}, freed by {other} in {_site(verdict['detail'])}"
        case VerdictKind.VERDICT_DOUBLE_FREE if cls == len(POOLS):
            return f"double free: PASID {obj} by {by}"
        case VerdictKind.VERDICT_DOUBLE_FREE:
            return f"double free: {pool} {index} by {by}, previously freed by {other}"
        case VerdictKind.VERDICT_LOCK_ORDER:
            return f"lock order: {by} takes {_lock(cls)} while holding {_lock(obj)}; the reverse order was used elsewhere"
        case VerdictKind.VERDICT_RECURSION:
            return f"lock order: {by} takes a second {_lock(cls)} while holding one"
        case VerdictKind.VERDICT_LOCK_MISUSE:
            return f"lock misuse: {by} releases {_lock(cls)} without holding it"
        case VerdictKind.VERDICT_REFCOUNT:
            what = {1: "saturated", 2: "taken at zero", 3: "put below zero"}.get(
                verdict["detail"], "wrong"
            )
            return f"reference count {what} by {by}"
        case VerdictKind.VERDICT_RCU:
            misuse = {
                1: "unlock without lock",
                2: "dereference outside a read section",
                3: "wait inside a read section",
            }
            return f"RCU: {misuse.get(verdict['detail'], 'misuse')} by {by}"
        case VerdictKind.VERDICT_LIST:
            return f"list: node {obj - 1} of {pool} found corrupt by {by}"
        case VerdictKind.VERDICT_DOUBLE_ANSWER:
            return f"double answer: a group of device {verdict['detail']} (request {verdict['generation']}) is answered again by {by}"
        case VerdictKind.VERDICT_ACCOUNT:
            hw, kernel = _fate(verdict["generation"] >> 8), _fate(verdict["generation"] & 0xFF)
            return f"account: device {cls}, request {obj & 0xFFFFFFFF}: hardware has {hw}, kernel has {kernel}, but {by} got an answer"
        case VerdictKind.VERDICT_BAD_WORD:
            return f"bad word in shared memory: {obj:#x} (against {verdict['generation']:#x}) read by {by}"
        case VerdictKind.VERDICT_STALE_PASID:
            return f"stale PASID: {by} resolves a fault of device {verdict['detail']} for an address space that got the PASID later"
        case VerdictKind.VERDICT_STALE_PARTIAL:
            group = f"the group of request {verdict['generation']} of device {verdict['detail']}"
            return f"stale partial: {by} puts request {obj} into {group}, another group of the same index"
        case VerdictKind.VERDICT_STALE_TRANSLATION:
            return (
                f"stale translation: {by}: the cache of device {cls} still grants address {obj:#x} of PASID "
                f"{verdict['generation']} after its unmap, protect, detach or exit has returned"
            )
        case VerdictKind.VERDICT_EVENTFD:
            return (
                f"eventfd {verdict['generation']} of fault object {index}: a write of {by} failed"
            )
        case VerdictKind.VERDICT_WILD:
            return f"invalid pointer dereference: {obj:#x} by {by}; a freed object contains such pointers"
    return f"verdict {kind} by {by}"
