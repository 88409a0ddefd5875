# SPDX-License-Identifier: MIT
"""Binds and attachments: what is shared, what is refused, what ends them while faults are queued."""

from __future__ import annotations

import pytest
from iopf.emulator.check.model import run_case
from iopf.emulator.spec.kernels import since, span

from tests.support.machine import ALL, BEFORE_USER, DETACHABLE, USER, Machine, fate


@pytest.mark.parametrize("generation", ALL)
def test_binds_of_one_device_and_mm_share_a_handle(generation: str, machine: Machine) -> None:
    """A second bind takes the handle that is there; the last unbind ends it (I31)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "bind d0 t0",
            "bind d0 t0",
            "unbind d0 t0",
            "unbind d0 t0",
            "send d0 pasid=1 pages=2 group=bound",
            "await d0",
            "unbind d0 t0",
            "send d0 pasid=1 pages=2 group=unbound",
            "await d0",
        ],
    )
    assert (seen.codes("bound"), seen.codes("unbound")) == ([0], [1])
    assert (seen.pool("attach_handle"), seen.kernel("binds"), seen.kernel("unbinds")) == (1, 1, 1)


@pytest.mark.parametrize("generation", ALL)
def test_devices_share_the_domain_of_an_mm(generation: str, machine: Machine) -> None:
    """One domain serves all devices of an mm, and is freed with the last of them."""
    seen = machine(
        generation,
        [
            "map t0 8",
            *[f"bind d{d} t0" for d in range(3)],
            "unbind d0 t0",
            "send d1 t0 pages=2 group=a",
            "send d2 t0 pages=2 group=a",
            "await d1",
            "await d2",
            "bind d0 t0",
            "send d0 t0 pages=1 group=b",
            "await d0",
            *[f"unbind d{d} t0" for d in range(3)],
            "bind d1 t0",
        ],
        devices=3,
        iommu={"units": 2},
    )
    assert [seen.codes("a", 1), seen.codes("a", 2), seen.codes("b", 0)] == [[0]] * 3
    assert (seen.pool("domain"), seen.pool("attach_handle")) == (2, 5)


@pytest.mark.parametrize("generation", ALL)
def test_a_device_with_few_pasids(generation: str, machine: Machine) -> None:
    """-ENOSPC when no number fits the device, -EOVERFLOW when that of the mm does not."""
    seen = machine(
        generation,
        [
            "bind d1 t0",
            "bind d1 t1 try",
            "bind d0 t1",
            "bind d1 t1 try",
            "unbind d1 t0",
            "exit t0",
            "bind d1 t1 try",
            "bind d1 t2",
        ],
        devices=2,
        tenants=3,
        device=[{}, {"max_pasids": 2}],
    )
    # The IOASID allocator of v5.13 gives no reason: the caller says -ENOMEM.
    none_fits = -12 if generation in span("v5.13", "v5.18") else -28  # IOASID, bitmap
    assert seen.returned("bind d1 t1") == [none_fits, -75, -75]
    assert (seen.returned("bind d0 t1"), seen.returned("bind d1 t2")) == ([0], [0])


@pytest.mark.parametrize("generation", USER)
def test_a_slot_that_belongs_to_something_else(generation: str, machine: Machine) -> None:
    """A PASID that user space has attached is -EBUSY for a bind, and the other way round."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "attach d0 t1 pasid=1 domain=blocking",
            "bind d0 t0 try",
            "detach d0 t1 pasid=1",
            "bind d0 t0",
            "attach d0 t1 pasid=1 domain=blocking try",
            "replace d0 t1 pasid=1 domain=blocking try",
            "detach d0 t1 pasid=1 try",
            "send d0 t0 pages=1 group=a",
            "await d0",
        ],
        tenants=2,
    )
    assert seen.returned("bind d0 t0") == [-16, 0]
    assert seen.returned("attach d0 t1 pasid=1 domain=blocking") == [0, -16]
    assert seen.returned("replace d0 t1 pasid=1 domain=blocking") == [-22]
    assert (seen.returned("detach d0 t1 pasid=1"), seen.codes("a")) == ([0, -2], [0])


@pytest.mark.parametrize("held", ["workers", "irq"])
@pytest.mark.parametrize("end", ["exec", "exit"])
@pytest.mark.parametrize("generation", ALL)
def test_a_process_ends_while_its_faults_are_queued(
    generation: str, end: str, held: str, machine: Machine
) -> None:
    """exec unbinds first, exit drops the mm first: the group is handled, or finds it dead (I17)."""
    seen = machine(
        generation,
        [
            "wait-bound d0 t0",
            f"hold {held}",
            "send d0 t0 pages=4 group=a",
            "settle",
            "k0: barrier queued",
            f"let-go {held}",
            "d0: await d0",
        ],
        ["map t0 8", "bind d0 t0", "t0: barrier queued", f"{end} t0"],
        device={"stop": "marker"},
    )
    possible = [[0]] if end == "exec" else [[0], [1]]
    if generation == "gunthorpe" and held == "irq":
        # It waits for no request in the queue: what comes of a group is acknowledged, and what
        # comes after the detach restarts without a group.
        possible += [[0, 0], [0, 1]]
        assert seen.kernel("groups") in (0, 1)
    else:
        assert seen.kernel("groups") == 1
    assert seen.codes("a") in possible
    assert (seen.kernel("unbinds"), seen.lost) == (1, {})
    assert seen.pool("mm") == (2 if end == "exec" else 1)


@pytest.mark.parametrize("generation", [g for g in DETACHABLE if g in since("v6.13")])
def test_attachments_of_the_rid(generation: str, machine: Machine) -> None:
    """Requests without PASID find what is attached to the RID, from attach to detach."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "send d0 rid pages=2 group=nothing",
            "await d0",
            "attach d0 t0 rid domain=fault fault=f0",
            "send d0 rid pages=2 group=fault",
            "settle",
            "serve f0 t0 groups=1 code=success",
            "await d0",
            "replace d0 t0 rid domain=paging",
            "send d0 rid pages=2 at=4 group=paging",
            "settle",
            "replace d0 t0 rid domain=blocking",
            "send d0 rid pages=2 at=4 group=blocking",
            "await d0",
            "replace d0 t0 rid domain=fault fault=f0",
            "send d0 rid pages=2 at=4 group=held",
            "settle",
            "detach d0 t0 rid",
            "send d0 rid pages=2 at=4 group=detached",
            "settle",
            "reset d0",
        ],
    )
    assert [seen.codes(label) for label in ("nothing", "blocking", "detached")] == [[1]] * 3
    assert seen.codes("fault") == [0]
    assert seen.codes("held") == fate("unbind-user", generation)
    # Two answers: until v7.2 also the request before the last is answered.
    nonlast = fate("partial-no-handler", generation)
    assert seen.codes("paging") == nonlast + fate("no-domain", generation)


def test_the_driver_refuses_requests_without_pasid_until_v6_12(machine: Machine) -> None:
    """9f831c16c69e, v6.13-rc1, lifted the check: INVALID by the driver, and user space reads nothing."""
    seen = machine(
        "v6.11",
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "attach d0 t0 rid domain=fault fault=f0",
            "send d0 rid pages=2 group=a",
            "await d0",
            "settle",
            "read f0 t0 bytes=400",
            "detach d0 t0 rid",
        ],
    )
    assert (seen.codes("a"), seen.returned("read f0 t0 bytes=400")) == ([1], [0])
    assert seen.kernel("rejected") == 2


@pytest.mark.parametrize("generation", BEFORE_USER)
def test_requests_without_pasid_before_there_are_handles(generation: str, machine: Machine) -> None:
    """Until v6.9 nothing takes faults of the RID, so the tables refuse them."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "attach d0 t0 rid domain=paging try",
            "send d0 rid pages=2 group=a",
            "send d0 t0 pages=2 group=b",
            "await d0",
        ],
    )
    assert seen.returned("attach d0 t0 rid domain=paging") == [-95]
    assert (seen.codes("a"), seen.codes("b")) == ([1], [0])


@pytest.mark.parametrize("generation", BEFORE_USER)
def test_a_request_without_pasid_in_a_group_of_a_bond(generation: str, machine: Machine) -> None:
    """The handler of an address space takes no request without PASID (iommu_sva_handle_mm), so the group is INVALID. Since
    v6.11 it reaches a group only with a fault domain of the RID."""
    lines = [
        "map t0 8",
        "bind d0 t0",
        "report d0 rid prgi=100 at=1 open",
        "report d0 pasid=1 prgi=100 at=2 group=mixed",
        "await d0",
        "report d0 pasid=1 prgi=101 at=2 group=whole",
        "await d0",
    ]
    seen = machine(generation, lines)
    assert (seen.codes("mixed"), seen.codes("whole")) == ([1], [0])
    model = run_case(lines, generation)
    assert model.responses == {(0, "mixed"): (1,), (0, "whole"): (0,)}
