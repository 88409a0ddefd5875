# SPDX-License-Identifier: MIT
"""Character of each kernel generation, and the changes between generations with their reasons.

Sources: the kernel sources of the generations; commits are upstream ids.
"""

from __future__ import annotations

from dataclasses import dataclass

from iopf.emulator.spec.kernels import MERGED


@dataclass(frozen=True, slots=True)
class Age:
    """One generation: its kernels, its character, changes and reasons."""

    kernels: str
    character: str
    changes: tuple[str, ...]


AGES: dict[str, Age] = {
    "v5.13": Age(
        "v5.13 to v5.17",
        "report keeps a copy of the request and calls the handler of the IOPF queue",
        (
            "the driver empties its own queue before a flush: a callback from the flush had deadlocked "
            "against the report",
            "the worker finds the address space by its PASID in the IOASID space",
        ),
    ),
    "v5.18": Age(
        "v5.18 to v6.1",
        "the PASID stays with the address space until it is freed",
        (
            "one PASID for each mm, freed with it: before, the last unbind freed it and the next process "
            "could get it at once (701fac40384f, 2667ed10d9f0)",
        ),
    ),
    "v6.2": Age(
        "v6.2 to v6.8",
        "the same queueing; the handler belongs to the domain and is looked up by the worker",
        (
            "a handler per domain: other handlers than SVA, and several address spaces per device",
            "the worker looks the domain up without the group mutex, which an unbind holds while it "
            "waits for the worker; unbind flushes before the domain is freed",
        ),
    ),
    "v6.9": Age(
        "v6.9 to v6.10",
        "one object per device with references and RCU; the report builds the group",
        (
            "the group itself is pending, not a copy of its last request: an answer can no longer miss "
            "its match (199112327135)",
            "the fault_param has a reference count and RCU: no race between a report and a removal "
            "(a74c077b9021)",
            "the core answers what it cannot handle; report returns nothing (b554e396e51c, 3dfa64aecbaf)",
            "removal answers pending groups and cannot fail: no caller could handle -EBUSY "
            "(0095bf83554f)",
        ),
    ),
    "v6.11": Age(
        "v6.11 to v6.12",
        "groups carry an attach handle; faults can be delivered to user space",
        (
            "the attach handle is looked up first, so that a detach finds its groups",
            "delivery to user space: read() delivers groups, write() answers them by cookie",
            "report returns an error again and the core answers every fault without a handler INVALID: "
            "in v6.9 it went unanswered (b58b133e680b)",
        ),
    ),
    "v6.13": Age(
        "v6.13",
        "the VT-d driver delivers requests without PASID",
        (
            "the check that refused every request without PASID is removed, so that domains of the RID can take "
            "faults (9f831c16c69e)",
        ),
    ),
    "v6.14": Age(
        "v6.14 to v6.15",
        "removal frees pending groups as well",
        (
            "iopf_queue_remove_device frees the groups it answers (9759ae2cee7c, meant to fix a leak): "
            "wrong for every group that a worker or user space still holds",
            "the drain of VT-d covers requests without PASID (add43c4fbc92); the emulated one always does, "
            "but for the defect rid-faults-not-drained",
        ),
    ),
    "v6.16": Age(
        "v6.16 to v7.1 (stable before 6.18.44, 7.1.8)",
        "a device is on its queue while a domain with a handler is attached",
        (
            "attachment of the first domain with a handler puts the device on its queue, detach of the "
            "last takes it off (17fce9d2336d): a detach now frees groups that user space holds",
            "the drain checks whether such a domain is attached, not whether PRI is on",
        ),
    ),
    "v7.2": Age(
        "v7.2 and later (and stable 6.18.44, 7.1.8)",
        "a group that goes to user space leaves the pending list: it has one owner",
        (
            "the handler takes a group off the pending list before it publishes it to user space "
            "(738e6f32e61d, CVE-2026-74520); an answer no longer depends on the list",
        ),
    ),
    "gunthorpe": Age(
        "proposed 2023-11-15, never merged",
        "queued faults are acknowledged, not discarded; a fault without a handler restarts",
        (
            "a change of translation acknowledges pending groups and partial ones with SUCCESS: the "
            "device restarts and uses the new translation",
            "without a fault domain the request restarts, where the merged kernels answer INVALID",
            "an answered group is marked, so a late answer has no effect; its owner frees it",
            "each domain counts its groups and is freed when none is left, where the merged kernels "
            "flush the whole queue",
        ),
    ),
}


def steps(older: str, newer: str) -> tuple[str, ...]:
    """The generations whose changes lie between two, in order of time.

    The proposal is compared by its own changes only.
    """
    if "gunthorpe" in (older, newer):
        return ("gunthorpe",)
    first, last = sorted((MERGED.index(older), MERGED.index(newer)))
    return MERGED[first + 1 : last + 1]
