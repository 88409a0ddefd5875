# SPDX-License-Identifier: MIT
"""Requests that no correct device sends: each has a defined result and leaks nothing.

The fixture looks at every pool after every run; the tests say what is answered and returned.
"""

from __future__ import annotations

import pytest

from tests.support.machine import ALL, Machine, fate

_UNKNOWN = ("pasid=0", "pasid=9", "pasid=1023", "pasid=1024", "pasid=1048575", "rid")


@pytest.mark.parametrize("generation", ALL)
def test_requests_of_a_pasid_that_the_device_has_not(generation: str, machine: Machine) -> None:
    """A table error is answered INVALID by the hardware, for last requests only."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "map t1 8",
            "bind d0 t0",
            "bind d1 t1",
            *[
                f"send d0 {slot} pages=2 group={slot.replace('=', '')}"
                for slot in (*_UNKNOWN, "pasid=2")
            ],
            "await d0",
            "send d0 t0 pages=2 group=good",
            "await d0",
        ],
        devices=2,
        tenants=2,
    )
    # PASID 2 is bound, but to another device.
    wrong = [seen.codes(slot.replace("=", "")) for slot in (*_UNKNOWN, "pasid=2")]
    assert wrong == [[1]] * 7
    assert seen.codes("good") == [0]
    assert (seen.hardware("auto_invalid"), seen.lost) == (7, {"refused by the tables": 7})
    assert seen.kernel("popped") == 2


@pytest.mark.parametrize("generation", ALL)
def test_reports_of_an_unknown_pasid(generation: str, machine: Machine) -> None:
    """What the tables should have refused and a driver reports nevertheless is answered."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            *[f"report d0 {slot} prgi={100 + n} group=g{n} try" for n, slot in enumerate(_UNKNOWN)],
            "settle",
        ],
    )
    answers = [seen.codes(f"g{n}") for n in range(len(_UNKNOWN))]
    assert answers == [fate("no-domain", generation)] * len(_UNKNOWN)
    # Nobody has sent them, so the device expects no answer, and ignores it.
    assert (seen.devices("unexpected"), seen.devices("sent")) == (len(_UNKNOWN), 0)
    # A device that waits for nothing does not mind a Failure either.
    assert seen.devices("failed") == 0


@pytest.mark.parametrize("generation", ALL)
def test_requests_of_a_pasid_that_changes_hands(generation: str, machine: Machine) -> None:
    """Between two owners a PASID has no owner; the next process gets it with its own pages (I14)."""
    seen = machine(
        generation,
        [
            "map t0 4",
            "bind d0 t0",
            "send d0 pasid=1 pages=2 group=first",
            "await d0",
            "unbind d0 t0",
            "send d0 pasid=1 pages=2 group=unbound",
            "spawn t0",
            "send d0 pasid=1 pages=2 group=spawned",
            "await d0",
            "map t0 2 at=8",
            "bind d0 t0",
            "send d0 pasid=1 pages=2 group=theirs",
            "send d0 pasid=1 pages=2 at=8 group=ours",
            "await d0",
        ],
    )
    labels = ("first", "unbound", "spawned", "theirs", "ours")
    assert [seen.codes(label) for label in labels] == [[0], [1], [1], [1], [0]]
    assert (seen.hardware("auto_invalid"), seen.kernel("stale_pasid")) == (2, 0)


@pytest.mark.parametrize("generation", ALL)
def test_a_group_that_never_ends(generation: str, machine: Machine) -> None:
    """Partials without a last one are kept, survive unbind, and go with the device (4.9, 4.10)."""
    seen = machine(
        generation,
        [
            "map t0 128",
            "bind d0 t0",
            "send d0 t0 pages=32 group=a open",
            "send d0 t0 pages=32 at=32 group=a open",
            "send d0 t0 pages=4 at=64 group=b",
            "await d0 group=b",
            "unbind d0 t0",
            "bind d0 t0",
            "send d0 t0 pages=1 at=64 group=c",
            "await d0 group=c",
        ],
    )
    assert (seen.codes("b"), seen.codes("c")) == ([0], [0])
    assert seen.codes("a") == fate("remove-partial", generation)
    kept = seen.kernel("freed") + seen.kernel("acknowledged")
    assert (kept, seen.kernel("groups")) == (64, 2)


@pytest.mark.parametrize("generation", ALL)
def test_two_pasids_with_one_group_index(generation: str, machine: Machine) -> None:
    """Whole groups of one index and two PASIDs are told apart in the answers (I4)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "map t1 1 at=100",
            "bind d0 t0",
            "bind d0 t1",
            "hold workers",
            "send d0 t0 pages=1 group=a prgi=9",
            "send d0 t1 pages=1 group=b prgi=9",
            "settle",
            "let-go workers",
            "await d0",
        ],
        tenants=2,
    )
    # Page 0 is mapped in the first address space only.
    assert (seen.kernel("answered_ok"), seen.kernel("answered_invalid")) == (1, 1)
    assert (seen.devices("retired_ok"), seen.devices("retired_invalid")) == (1, 1)


@pytest.mark.parametrize("generation", ALL)
def test_as_many_groups_as_there_are_indices(generation: str, machine: Machine) -> None:
    """512 groups are open at once; one more has to wait until an index is free (0, PRG)."""
    seen = machine(
        generation,
        [
            "wait-bound d0 t0",
            "hold workers",
            *["send d0 t0 pages=1"] * 512,
            "send d0 t0 pages=1 group=over try",
            "settle",
            "let-go workers",
            "await d0",
            "send d0 t0 pages=1 group=next",
            "await d0",
        ],
        ["map t0 8", "bind d0 t0", "t0: wait-devices t0"],
        iommu={"prq_records": 1024},
        device={"credits": 1024},
    )
    assert seen.returned("send d0 t0 pages=1 group=over") == [-19]
    assert (seen.codes("over"), seen.codes("next")) == ([], [0])
    assert (seen.kernel("groups"), seen.kernel("answered_ok")) == (513, 513)
    assert seen.devices("groups_done") == 513


@pytest.mark.parametrize("generation", ALL)
def test_a_last_request_that_nothing_came_before(generation: str, machine: Machine) -> None:
    """A last request is a group of one; the answer to an injected one matches no group (I3)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "send d0 t0 pages=1 group=open open",
            "settle",
            "report d0 pasid=1 prgi=300 at=1 group=alone",
            "settle",
            "report d0 pasid=1 prgi=300 at=1 group=again",
            "settle",
            "send d0 t0 pages=1 at=1 group=open",
            "await d0",
        ],
    )
    assert [seen.codes(label) for label in ("alone", "again", "open")] == [[0]] * 3
    assert (seen.devices("unexpected"), seen.kernel("partial_moved")) == (2, 1)


@pytest.mark.parametrize("generation", ALL)
def test_a_refused_request_that_is_not_the_last_gets_no_answer(
    generation: str, machine: Machine
) -> None:
    """Execute with read is refused by the driver, for each request of the group; the last one is answered."""
    seen = machine(
        generation,
        [
            "map t0 4 prot=rx",
            "bind d0 t0",
            "send d0 t0 pages=3 rw=rx group=a",
            "await d0",
            "send d0 t0 pages=2 group=b",
            "await d0",
        ],
    )
    assert (seen.codes("a"), seen.codes("b")) == ([1], [0])
    assert (seen.kernel("rejected"), seen.devices("unexpected")) == (3, 0)


@pytest.mark.parametrize("generation", ALL)
def test_execute_needs_an_executable_mapping(generation: str, machine: Machine) -> None:
    """With write: the driver refuses execute with read before it looks at the address space."""
    seen = machine(
        generation,
        [
            "map t0 4 prot=rw",
            "map t0 4 at=8 prot=rwx",
            "bind d0 t0",
            "send d0 t0 pages=1 rw=wx group=data",
            "send d0 t0 pages=1 at=8 rw=wx group=code",
            "await d0",
        ],
    )
    assert (seen.codes("data"), seen.codes("code")) == ([1], [0])
