# SPDX-License-Identifier: MIT
"""Calls that no correct driver, process or VMM makes: each has a defined result and leaks nothing."""

from __future__ import annotations

import pytest

from tests.support.machine import ALL, DETACHABLE, OLD, USER, Machine, fate

_FAULT_OBJECT = (
    "map t0 8",
    "fault-alloc t0 f0",
    "attach d0 t0 pasid=5 domain=fault fault=f0",
)


@pytest.mark.parametrize("generation", ALL)
def test_a_response_for_nothing(generation: str, machine: Machine) -> None:
    """A response that matches no pending request is -EINVAL and is not sent (I3)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "respond d0 pasid=1 prgi=5 code=success try",
            "send d0 t0 pages=1 group=a prgi=6",
            "await d0",
            "respond d0 pasid=1 prgi=6 code=success try",
        ],
    )
    assert seen.returned("respond d0 pasid=1 prgi=5 code=success") == [-22]
    assert seen.returned("respond d0 pasid=1 prgi=6 code=success") == [-22]
    assert (seen.codes("a"), seen.hardware("responses")) == ([0], 1)


@pytest.mark.parametrize("generation", OLD)
def test_a_driver_that_answers_before_the_worker(generation: str, machine: Machine) -> None:
    """The first response consumes the copy, every other one finds nothing (I1)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "hold workers",
            "send d0 t0 pages=3 group=a prgi=7",
            "settle",
            "respond d0 pasid=1 prgi=7 code=7 try",
            "respond d0 pasid=2 prgi=7 code=success try",
            "respond d0 pasid=1 prgi=8 code=success try",
            "respond d0 pasid=1 prgi=7 code=invalid",
            "respond d0 pasid=1 prgi=7 code=success try",
            "let-go workers",
            "await d0",
            "settle",
        ],
    )
    wrong = ("pasid=1 prgi=7 code=7", "pasid=2 prgi=7 code=success", "pasid=1 prgi=8 code=success")
    assert [seen.returned(f"respond d0 {what}") for what in wrong] == [[-22]] * 3
    assert seen.returned("respond d0 pasid=1 prgi=7 code=success") == [-22]
    assert (seen.codes("a"), seen.hardware("responses")) == ([1], 1)
    assert (seen.kernel("rejected"), seen.lost) == (3, {})


@pytest.mark.parametrize("generation", ALL)
def test_a_device_that_is_removed_twice(generation: str, machine: Machine) -> None:
    """Of two removals at once one does it, the other finds nothing (I24, I33)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "t0: barrier go",
            "t0: barrier gone",
            "unbind d0 t0 try",
            "unbind d0 t0 try",
        ],
        ["wait-bound d0 t0", "send d0 t0 pages=4 group=a", "d0: barrier go"],
        *[[f"k{n}: barrier go", f"k{n}: remove d0 try", f"k{n}: barrier gone"] for n in (1, 2)],
    )
    removals = seen.returned("k1: remove d0") + seen.returned("k2: remove d0")
    assert sorted(code or 0 for code in removals) == [-19, 0]
    # The removal has ended the bond, so its handle is gone.
    assert seen.returned("unbind d0 t0") == [-19, -14]
    assert seen.kernel("unbinds") == 1


@pytest.mark.parametrize("generation", ALL)
def test_a_bind_of_a_process_that_is_gone(generation: str, machine: Machine) -> None:
    """Who has no address space any more binds nothing; a child that outlives its parent does."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "fork t0 t1",
            "unbind d0 t0",
            "repeat 2",
            "bind d0 t0 try",
            "exit t0",
            "end",
            "bind d0 t1",
            "send d0 t1 pages=2 group=a",
            "await d0",
            "unbind d0 t1",
            "fail mm nth=1",
            "spawn t1 try",
            "bind d0 t1 try",
            "unbind d0 t1 try",
            "map t1 8 try",
        ],
        tenants=2,
    )
    # The first time t0 lives, the second time it does not.
    assert seen.returned("bind d0 t0") == [0, -14]
    assert seen.codes("a") == [0]
    # A process that could not get an address space.
    assert seen.returned("spawn t1") == [-12]
    assert (seen.returned("bind d0 t1"), seen.returned("map t1 8")) == ([0, -14], [-14])
    assert (seen.kernel("binds"), seen.kernel("unbinds")) == (3, 3)


@pytest.mark.parametrize("generation", ALL)
def test_an_unbind_too_many(generation: str, machine: Machine) -> None:
    """A handle that was unbound as often as bound is not the caller's any more (I31)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "unbind d0 t0 try",
            "bind d0 t0",
            "bind d0 t0",
            "unbind d0 t0",
            "unbind d0 t0",
            "unbind d0 t0 try",
            "bind d0 t0",
            "send d0 t0 pages=1 group=a",
            "await d0",
        ],
    )
    assert seen.returned("unbind d0 t0") == [-14, 0, 0, -14]
    assert (seen.kernel("binds"), seen.kernel("unbinds"), seen.codes("a")) == (2, 2, [0])


@pytest.mark.parametrize("generation", USER)
def test_a_vmm_that_answers_garbage_or_twice(generation: str, machine: Machine) -> None:
    """Codes other than SUCCESS and INVALID, unknown and used cookies are -EINVAL, no side effect (I34)."""
    garbage = {
        "write f0 t0 code=failure": [-22],
        "write f0 t0 code=7": [-22],
        "write f0 t0 cookie=4294967295 code=success": [-22],
        "write f0 t0 code=invalid": [8],
        "write f0 t0 code=success": [-22],
        "write f0 t0 nth=1 code=success": [8],
        "write f0 t0 nth=1 code=invalid": [-22],
        "write f0 t0 cookie=1 code=success": [-22],
    }
    seen = machine(
        generation,
        [
            *_FAULT_OBJECT,
            "send d0 pasid=5 pages=2 group=a",
            "send d0 pasid=5 pages=1 group=b",
            "settle",
            "read f0 t0 bytes=4000",
            *[f"{line} try" for line in garbage],
            "await d0",
        ],
    )
    assert {line: seen.returned(line) for line in garbage} == garbage
    assert (seen.codes("a"), seen.codes("b")) == ([1], [0])
    assert seen.hardware("responses") == 2


@pytest.mark.parametrize("generation", USER)
def test_a_read_into_nowhere_leaves_everything_where_it_is(
    generation: str, machine: Machine
) -> None:
    """-EFAULT, and the next read gets the groups in their order (4.70, I34)."""
    seen = machine(
        generation,
        [
            *_FAULT_OBJECT,
            "read f0 t0 bytes=80 unmapped",
            "send d0 pasid=5 pages=2 group=a",
            "send d0 pasid=5 pages=1 group=b",
            "settle",
            "read f0 t0 bytes=40 unmapped",
            "read f0 t0 bytes=4000 unmapped try",
            "read f0 t0 bytes=80",
            "write f0 t0 code=invalid",
            "read f0 t0 bytes=40",
            "write f0 t0 nth=1 code=success",
            "await d0",
        ],
    )
    assert seen.returned("read f0 t0 bytes=80 unmapped") == [0]
    assert seen.returned("read f0 t0 bytes=40 unmapped") == [0], "the first group does not fit"
    assert seen.returned("read f0 t0 bytes=4000 unmapped") == [-14]
    assert seen.returned("read f0 t0 bytes=80") == [80]
    assert (seen.codes("a"), seen.codes("b")) == ([1], [0])


@pytest.mark.parametrize("end", ["detach d0 t0 pasid=5", "exit t0", "exec t0", "remove d0"])
@pytest.mark.parametrize("generation", DETACHABLE)
def test_a_vmm_that_never_answers(generation: str, end: str, machine: Machine) -> None:
    """What user space holds is answered when its attachment ends, by whatever ends it (4.79, I36)."""
    seen = machine(
        generation,
        [
            *_FAULT_OBJECT,
            "send d0 pasid=5 pages=2 group=read",
            "settle",
            "read f0 t0 bytes=4000",
            "send d0 pasid=5 pages=2 group=delivered",
            "settle",
            end,
            "settle",
        ],
    )
    answers = [seen.codes(label) for label in ("read", "delivered")]
    assert answers == [fate("unbind-user", generation)] * 2
    assert (seen.hardware("responses"), seen.pool("group", "frees")) == (2, 2)


@pytest.mark.parametrize("end", ["detach d0 t0 pasid=5", "exit t0", "exec t0", "remove d0"])
def test_the_last_detach_frees_what_user_space_holds(end: str, machine: Machine) -> None:
    """v6.16 to v7.1: the device leaves its queue with its last fault domain, and removal frees (CVE-2026-74520)."""
    machine(
        "v6.16",
        [*_FAULT_OBJECT, "send d0 pasid=5 pages=2", "settle", end],
        finds="use after free: group",
    )
