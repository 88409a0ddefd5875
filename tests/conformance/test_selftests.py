# SPDX-License-Identifier: MIT
"""The iommufd selftests (tools/testing/selftests/iommu), under their names: attachments and faults of user space.

What a selftest triggers is a made-up last request, reported as if a device had sent it. Here the
answer is looked at as well, which the mock device of the selftests does not do.
"""

from __future__ import annotations

import pytest

from tests.support.machine import DETACHABLE, USER, Machine, fate

_FAULT_SLOTS = 512
_REQUEST = "at=7 rw=rw"


@pytest.mark.parametrize("slot", ["rid", "pasid=1"])
@pytest.mark.parametrize("generation", USER)
def test_iommufd_ioas_alloc_hwpt_nested(generation: str, slot: str, machine: Machine) -> None:
    """A domain with a fault object takes the place of a plain one; its fault is read and answered."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "fault-alloc t0 f0 try",
            f"attach d0 t0 {slot} domain=paging",
            f"report d0 {slot} prgi=1 {_REQUEST} group=before try",
            f"replace d0 t0 {slot} domain=fault fault=f0",
            f"report d0 {slot} prgi=2 {_REQUEST} group=a",
            "settle",
            "read f0 t0 bytes=4000",
            "write f0 t0 code=success",
            f"replace d0 t0 {slot} domain=paging",
            f"report d0 {slot} prgi=3 {_REQUEST} group=after try",
            f"detach d0 t0 {slot}",
            "fault-close t0 f0",
            "fault-alloc t0 f0",
        ],
    )
    assert seen.returned("fault-alloc t0 f0") == [0, -16, 0]
    assert (seen.returned("read f0 t0 bytes=4000"), seen.codes("a")) == ([40], [0])
    assert seen.returned("write f0 t0 code=success") == [8]
    # A plain domain takes no faults, whether it was there before or came after.
    assert seen.codes("before") == seen.codes("after") == fate("no-domain", generation)


@pytest.mark.parametrize("generation", USER)
def test_iommufd_viommu_viommu_alloc_nested_iopf(generation: str, machine: Machine) -> None:
    """No such fault object is -ENOENT, a slot in use -EBUSY; the fault of a nested domain is read."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "attach d0 t0 pasid=5 domain=fault fault=f1 try",
            "attach d0 t0 pasid=5 domain=fault fault=f0",
            "attach d0 t0 pasid=5 domain=fault fault=f0 try",
            "replace d0 t0 pasid=5 domain=fault fault=f1 try",
            f"report d0 pasid=5 prgi=2 {_REQUEST} group=a",
            "settle",
            "read f0 t0 bytes=40",
            "write f0 t0 code=invalid",
            "replace d0 t0 pasid=5 domain=paging",
            "fault-close t0 f0",
            "detach d0 t0 pasid=5",
            "fault-alloc t0 f1",
        ],
    )
    assert seen.returned("attach d0 t0 pasid=5 domain=fault fault=f1") == [-2]
    assert seen.returned("replace d0 t0 pasid=5 domain=fault fault=f1") == [-2]
    assert seen.returned("attach d0 t0 pasid=5 domain=fault fault=f0") == [0, -16]
    assert (seen.codes("a"), seen.pool("domain"), seen.pool("fault object")) == ([1], 3, 2)


@pytest.mark.parametrize("generation", USER)
def test_iommufd_device_pasid_pasid_attach(generation: str, machine: Machine) -> None:
    """Attach, replace and detach of PASIDs; a replace that fails keeps the old domain."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "replace d0 t0 pasid=100 domain=paging try",
            "detach d0 t0 pasid=100 try",
            "attach d0 t0 pasid=100 domain=paging",
            "attach d0 t0 pasid=100 domain=blocking try",
            "replace d0 t0 pasid=100 domain=identity",
            "replace d0 t0 pasid=100 domain=blocking",
            "detach d0 t0 pasid=100",
            "detach d0 t0 pasid=100 try",
            # A failure leaves the fault domain where it is.
            "attach d0 t0 pasid=1024 domain=fault fault=f0",
            "fail handle nth=1",
            "replace d0 t0 pasid=1024 domain=paging try",
            "fail domain nth=1",
            "replace d0 t0 pasid=1024 domain=paging try",
            f"report d0 pasid=1024 prgi=2 {_REQUEST} group=kept",
            "settle",
            "read f0 t0 bytes=400",
            "write f0 t0 code=success",
            "detach d0 t0 pasid=1024",
            "attach d0 t0 pasid=2048 domain=fault fault=f0",
            "replace d0 t0 pasid=2048 domain=paging",
            "detach d0 t0 pasid=2048",
            "attach d0 t0 pasid=4095 domain=paging",
            "attach d0 t0 pasid=4096 domain=paging try",
        ],
        iommu={"max_pasids": 4096},
    )
    assert seen.returned("replace d0 t0 pasid=100 domain=paging") == [-22]
    assert seen.returned("attach d0 t0 pasid=100 domain=blocking") == [-16]
    assert seen.returned("detach d0 t0 pasid=100") == [-2, 0, -2]
    assert seen.returned("replace d0 t0 pasid=1024 domain=paging") == [-12, -12]
    assert (seen.codes("kept"), seen.returned("read f0 t0 bytes=400")) == ([0], [40])
    assert seen.returned("attach d0 t0 pasid=4096 domain=paging") == [-22]


@pytest.mark.parametrize("generation", DETACHABLE)
def test_iommufd_viommu_vdevice_alloc(generation: str, machine: Machine) -> None:
    """More than a bounded queue holds is refused, and the next one after a read is fine.

    The selftest asks this of vEVENTQs. Faults are not bounded in Linux; here the fault object is.
    """
    seen = machine(
        generation,
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "attach d0 t0 pasid=5 domain=fault fault=f0",
            f"repeat {_FAULT_SLOTS}",
            f"report d0 pasid=5 prgi=2 {_REQUEST}",
            "end",
            f"report d0 pasid=5 prgi=3 {_REQUEST} group=over",
            "settle",
            "read f0 t0 bytes=40",
            "write f0 t0 code=success",
            f"report d0 pasid=5 prgi=4 {_REQUEST} group=next",
            "settle",
            "detach d0 t0 pasid=5",
            "recover d0",
        ],
        kernel={"groups": 1024},
    )
    assert seen.codes("over") == fate("refused", generation)
    assert seen.codes("next") == fate("unbind-user", generation)
    assert seen.kernel("answered_failure") == 1


@pytest.mark.parametrize("pool", ["handle", "domain", "group", "fault", "param", "table"])
@pytest.mark.parametrize("generation", DETACHABLE)
def test_basic_fail_nth_device(generation: str, pool: str, machine: Machine) -> None:
    """Each allocation of attach, replace twice, a fault and detach fails once; nothing leaks."""
    life = (
        "spawn t0 try",
        "plug d0 try",
        "map t0 8 try",
        "fault-alloc t0 f0 try",
        "attach d0 t0 rid domain=paging try",
        "replace d0 t0 rid domain=fault fault=f0 try",
        "attach d0 t0 pasid=5 domain=fault fault=f0 try",
        "replace d0 t0 pasid=5 domain=fault fault=f0 try",
        f"report d0 rid prgi=2 {_REQUEST} open try",
        f"report d0 rid prgi=2 {_REQUEST} try",
        f"report d0 pasid=5 prgi=3 {_REQUEST} try",
        "settle",
        "read f0 t0 bytes=4000 try",
        "write f0 t0 nth=0 code=success try",
        "touch t0 8 try",
        "replace d0 t0 rid domain=blocking try",
        "detach d0 t0 rid try",
        "detach d0 t0 pasid=5 try",
        "fault-close t0 f0 try",
        "unmap t0 8 try",
        "remove d0 try",
    )
    rounds = [line for n in range(1, 9) for line in (f"fail {pool} nth={n}", *life)]
    seen = machine(generation, ["remove d0", *rounds])
    names = {"handle": "attach_handle", "param": "fault_param", "table": "page table"}
    assert 1 <= seen.pool(names.get(pool, pool), "fails") < 8
    assert seen.returned("read f0 t0 bytes=4000")[-1] == 3 * 40


@pytest.mark.parametrize("generation", USER)
def test_iommufd_cmd_length(generation: str, machine: Machine) -> None:
    """A buffer whose size is not a multiple of a record is -ESPIPE, whatever waits."""
    sizes = {0: 0, 1: -29, 39: -29, 40: 40, 41: -29, 79: -29, 80: 0, 4095: -29}
    seen = machine(
        generation,
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "read f0 t0 bytes=7 try",
            "attach d0 t0 pasid=5 domain=fault fault=f0",
            f"report d0 pasid=5 prgi=2 {_REQUEST} group=a",
            "settle",
            *[f"read f0 t0 bytes={size} try" for size in sizes],
            "write f0 t0 code=success",
        ],
    )
    assert seen.returned("read f0 t0 bytes=7") == [-29]
    assert {size: seen.returned(f"read f0 t0 bytes={size}")[0] for size in sizes} == sizes
    assert seen.codes("a") == [0]


@pytest.mark.parametrize("generation", USER)
def test_iommufd_cmd_fail(generation: str, machine: Machine) -> None:
    """Unknown codes, cookies, descriptors and PASIDs are refused."""
    refused = {
        "write f0 t0 code=failure": -22,
        "write f0 t0 code=2": -22,
        "write f0 t0 cookie=0 code=success": -22,
        "write f0 t0 cookie=77 code=success": -22,
        "read f1 t0 bytes=40": -9,
        "write f1 t0 cookie=1 code=success": -9,
        "fault-close t0 f1": -9,
        "read f0 t1 bytes=40": -9,
        "fault-close t1 f0": -9,
        "attach d0 t0 pasid=1023 domain=fault fault=f1": -2,
        "detach d0 t1 pasid=5": -2,
        "attach d0 t0 pasid=1024 domain=blocking": -22,
    }
    seen = machine(
        generation,
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "attach d0 t0 pasid=5 domain=fault fault=f0",
            f"report d0 pasid=5 prgi=2 {_REQUEST} group=a",
            "settle",
            "read f0 t0 bytes=40",
            *[f"{line} try" for line in refused],
            "write f0 t0 code=success",
            "fault-alloc t0 f1",
        ],
        tenants=2,
    )
    assert {line: seen.returned(line)[0] for line in refused} == refused
    assert seen.codes("a") == [0]
