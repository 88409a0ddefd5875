# SPDX-License-Identifier: MIT
"""The conformance suite: closing a descriptor and removing a device, C14 and C16."""

from __future__ import annotations

import pytest

from tests.support.machine import ALL, DETACHABLE, Machine, fate

_FAULT_OBJECT = (
    "map t0 8",
    "fault-alloc t0 f0",
    "attach d0 t0 pasid=5 domain=fault fault=f0",
)


@pytest.mark.parametrize("generation", DETACHABLE)
def test_c14_close_answers_what_is_outstanding(generation: str, machine: Machine) -> None:
    """close() answers INVALID to what is delivered and what was read; the rest goes with detach (I36)."""
    seen = machine(
        generation,
        [
            *_FAULT_OBJECT,
            "send d0 pasid=5 pages=3 group=a",
            "send d0 pasid=5 pages=2 group=b",
            "settle",
            "read f0 t0 bytes=120",
            "fault-close t0 f0",
            "write f0 t0 code=success try",
            "read f0 t0 bytes=400 try",
            "send d0 pasid=5 pages=1 group=c",
            "settle",
            "detach d0 t0 pasid=5",
        ],
    )
    assert (seen.codes("a"), seen.codes("b")) == ([1], [1])
    assert seen.returned("write f0 t0 code=success") == [-9]
    assert seen.returned("read f0 t0 bytes=400") == [-9]
    # gunthorpe: a group holds its domain, so none may be given to a descriptor that is closed.
    assert seen.codes("c") == ([15] if generation == "gunthorpe" else [1])


@pytest.mark.parametrize("generation", ALL)
def test_a_surprise_removal(generation: str, machine: Machine) -> None:
    """Unbind and removal end although the function does not answer the invalidation, and the device does not come back (4.43, I39)."""
    seen = machine(
        generation,
        [
            "map t0 4",
            "bind d0 t0",
            "send d0 t0 pages=2 group=a",
            "await d0",
            "hold workers",
            "send d0 t0 pages=2 group=b",
            "settle",
            "unplug d0",
            "await d0",
            "let-go workers",
            "unbind d0 t0",
            "remove d0",
            "plug d0 try",
            "bind d0 t0 try",
        ],
    )
    assert (seen.codes("a"), seen.codes("b")) == ([0], [])
    assert seen.returned("plug d0") == [-19]
    assert seen.returned("bind d0 t0")[-1] == -19


@pytest.mark.parametrize("generation", DETACHABLE)
def test_a_copy_to_user_space_that_sleeps_delays_no_other_fault(
    generation: str, machine: Machine
) -> None:
    """The interrupt thread delivers and answers while a reader is asleep in its copy (4.67)."""
    seen = machine(
        generation,
        [
            *_FAULT_OBJECT,
            "attach d0 t0 pasid=3 domain=paging",
            "t0: barrier attached",
            "t0: barrier held",
            "read f0 t0 bytes=40",
            "write f0 t0 code=success",
        ],
        [
            "d0: barrier attached",
            "send d0 pasid=5 pages=1 group=a",
            "settle",
            "hold copies",
            "d0: barrier held",
            "send d0 pasid=5 pages=1 group=b",
            "send d0 pasid=3 pages=1 group=c",
            "await d0 group=c",
            "let-go copies",
        ],
    )
    assert (seen.codes("a"), seen.codes("c")) == ([0], fate("no-domain", generation))


@pytest.mark.parametrize("generation", DETACHABLE)
def test_c14_exit_closes_as_well(generation: str, machine: Machine) -> None:
    """A VMM that dies with faults read and delivered leaves no request unanswered (I36)."""
    seen = machine(
        generation,
        [
            *_FAULT_OBJECT,
            "send d0 pasid=5 pages=3 group=a",
            "send d0 pasid=5 pages=2 group=b",
            "settle",
            "read f0 t0 bytes=120",
            "exit t0",
            "settle",
        ],
    )
    assert [seen.codes(label) for label in "ab"] == [fate("unbind-user", generation)] * 2
    assert seen.pool("fault object", "frees") == 1


@pytest.mark.parametrize("stop", ["wait", "marker"])
@pytest.mark.parametrize("generation", ALL)
def test_c16_an_orderly_removal_drains_first(generation: str, stop: str, machine: Machine) -> None:
    """Release unbinds, which waits for pending groups, before the queue is left (I22, I24, I25)."""
    seen = machine(
        generation,
        [
            "wait-bound d0 t0",
            "hold workers",
            "send d0 t0 pages=2 group=a",
            "send d0 t0 pages=3 group=b open",
            "settle",
            "k0: barrier go",
            "let-go workers",
            "k0: barrier removed",
        ],
        ["map t0 8", "bind d0 t0", "t0: barrier removed", "bind d0 t0 try"],
        ["k1: barrier go", "k1: remove d0", "k1: remove d0 try", "k1: barrier removed"],
        device={"stop": stop},
    )
    assert seen.codes("a") == fate("last", generation)
    assert seen.codes("b") == fate("remove-partial", generation)
    partials = 0 if generation == "gunthorpe" else 3
    assert seen.lost == ({"device removed": partials} if partials else {})
    assert seen.returned("k1: remove d0") == [0, -19]
    assert seen.kernel("unbinds") == 1


@pytest.mark.parametrize("generation", ALL)
def test_c16_a_removed_device_can_be_plugged_again(generation: str, machine: Machine) -> None:
    """Removal leaves nothing behind: the device is probed, bound and served as a new one (I24)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "send d0 t0 pages=2 group=a open",
            "settle",
            "remove d0",
            "bind d0 t0 try",
            "plug d0",
            "plug d0 try",
            "bind d0 t0",
            "send d0 t0 pages=1 at=4 group=b",
            "await d0 group=b",
        ],
    )
    assert seen.returned("bind d0 t0") == [0, -19, 0]
    assert seen.returned("plug d0") == [0, -114]
    # The group of the first life has not come to the second one.
    assert (seen.codes("b"), seen.kernel("partial_moved")) == ([0], 0)


@pytest.mark.parametrize("generation", DETACHABLE)
def test_c16_removal_answers_what_user_space_holds(generation: str, machine: Machine) -> None:
    """Release detaches, so groups delivered or read are answered before the queue is left (I36)."""
    seen = machine(
        generation,
        [
            *_FAULT_OBJECT,
            "send d0 pasid=5 pages=3 group=a",
            "send d0 pasid=5 pages=2 group=b",
            "settle",
            "read f0 t0 bytes=120",
            "remove d0",
            "write f0 t0 code=success try",
            "read f0 t0 bytes=400",
            "detach d0 t0 pasid=5 try",
            "fault-close t0 f0",
        ],
    )
    assert [seen.codes(label) for label in "ab"] == [fate("unbind-user", generation)] * 2
    assert seen.returned("detach d0 t0 pasid=5") == [-2]
    assert seen.pool("group", "frees") == 2
