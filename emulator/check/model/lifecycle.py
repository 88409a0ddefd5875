# SPDX-License-Identifier: MIT
"""Bind and attach, and their ends. Operations that may wait are generators."""

from __future__ import annotations

from iopf.emulator.check.model.objects import (
    EBUSY,
    EFAULT,
    EINVAL,
    ENODEV,
    ENOENT,
    ENOMEM,
    EOPNOTSUPP,
    Device,
    Domain,
    DomainKind,
    FaultParam,
    Handle,
    Mm,
    Tenant,
)
from iopf.emulator.check.model.state import State, Waiting
from iopf.emulator.check.model.teardown import drain
from iopf.emulator.spec import classes


def queue_add(state: State, device: Device) -> int:
    """iopf_queue_add_device: -EBUSY on a queue already, -ENOMEM."""
    if not device.registered:
        return ENODEV
    if device.param is not None:
        return EBUSY
    if not state.alloc(classes.POOL_PARAM):
        return ENOMEM
    device.param = FaultParam()
    return 0


def plug(state: State, device: Device) -> int:
    """Probe. To v6.15 it puts the device on the queue, later its first fault domain does."""
    if device.registered:
        return EBUSY
    device.registered = True
    device.handler = True
    device.pri_off = False
    return 0 if state.flow.enabled_by_attach else queue_add(state, device)


def _attach(state: State, device: Device, slot: int, domain: Domain) -> int | Handle:
    """The first domain with a handler puts the device on the queue since v6.16 (17fce9d2336d)."""
    if state.flow.enabled_by_attach and domain.handles_faults:
        if device.iopf_users == 0:
            ret = queue_add(state, device)
            if ret:
                return ret
        device.iopf_users += 1
    handle = Handle(domain, device, slot)
    device.slots[slot] = handle
    device.quiet.discard(slot)
    return handle


def _iopf_drop(state: State, device: Device, domain: Domain) -> None:
    """Removal of the last domain with a handler takes the device off the queue, after the drain (4.22)."""
    if not state.flow.enabled_by_attach or not domain.handles_faults:
        return
    device.iopf_users -= 1
    if device.iopf_users == 0:
        state.flow.remove(state, device)


def _detach(state: State, handle: Handle) -> Waiting:
    """Clear the entry, drain, free the handle, leave the queue; then answer the groups of user space."""
    device = handle.device
    if device.slots.get(handle.slot) is not handle:
        return ENODEV
    del device.slots[handle.slot]
    device.quiet.discard(handle.slot)
    yield from drain(state, device, handle.slot)
    _iopf_drop(state, device, handle.domain)
    if handle.domain.sink is not None:
        state.flow.end_handle(state, handle.domain.sink, handle)
    return 0


def bind(state: State, device: Device, tenant: Tenant) -> int:
    """iommu_sva_bind_device: -EFAULT no address space, -EBUSY its PASID is attached otherwise, -ENODEV, -ENOMEM. A second bind shares."""
    mm = tenant.mm
    if mm is None:
        return EFAULT
    if not device.registered:
        return ENODEV
    shared = tenant.files.get(device.index)
    if shared is not None:
        shared.users += 1
        return 0
    if mm.pasid == 0:
        mm.pasid = next(n for n in range(1, len(state.pasids) + 2) if n not in state.pasids)
        state.pasids[mm.pasid] = mm
    if mm.pasid in device.slots:
        return EBUSY
    if not state.alloc(classes.POOL_DOMAIN) or not state.alloc(classes.POOL_HANDLE):
        return ENOMEM
    done = _attach(state, device, mm.pasid, Domain(DomainKind.SVA, mm))
    if not isinstance(done, Handle):
        return done
    tenant.files[device.index] = done
    return 0


def unbind(state: State, device: Device, tenant: Tenant) -> Waiting:
    """iommu_sva_unbind_device. The device has stopped; its outstanding requests are not waited for."""
    handle = tenant.files.get(device.index)
    if handle is None:
        return EFAULT
    handle.users -= 1
    if handle.users:
        return 0
    del tenant.files[device.index]
    ret = yield from _detach(state, handle)
    mm = handle.domain.mm
    if state.flow.pasid_by_bond and mm is not None and not _bound(state, mm):
        _free_pasid(state, mm)
        mm.pasid = 0
    return ret


def _bound(state: State, mm: Mm) -> bool:
    return any(
        handle.domain.mm is mm for device in state.devices for handle in device.slots.values()
    )


def _end_mm(state: State, tenant: Tenant) -> None:
    """exit_mmap: disables the entries of the address space; nothing waits here (4.4)."""
    mm, tenant.mm = tenant.mm, None
    if mm is None:
        return
    mm.alive = False
    mm.pages.clear()
    for device in state.devices:
        handle = device.slots.get(mm.pasid)
        if handle is not None and handle.domain.mm is mm:
            device.quiet.add(mm.pasid)


def _free_pasid(state: State, mm: Mm | None) -> None:
    if mm is not None and mm.pasid and state.pasids.get(mm.pasid) is mm:
        del state.pasids[mm.pasid]


def leave(state: State, tenant: Tenant) -> Waiting:
    """exit: the address space first, then the files, whose release unbinds."""
    mm = tenant.mm
    _end_mm(state, tenant)
    for index in sorted(tenant.files):
        yield from unbind(state, state.devices[index], tenant)
    _free_pasid(state, mm)
    return 0


def execve(state: State, tenant: Tenant) -> Waiting:
    """exec: the files are close-on-exec, so bindings end first; then an empty address space."""
    mm = tenant.mm
    for index in sorted(tenant.files):
        yield from unbind(state, state.devices[index], tenant)
    _end_mm(state, tenant)
    _free_pasid(state, mm)
    tenant.mm = Mm()
    return 0


def remove(state: State, device: Device) -> Waiting:
    """The driver's remove: detach everything, leave the queue, disable PRI."""
    if not device.registered:
        return ENODEV
    for handle in list(device.slots.values()):
        yield from _detach(state, handle)
        for tenant in state.tenants:
            if tenant.files.get(device.index) is handle:
                del tenant.files[device.index]
    state.flow.remove(state, device)
    device.registered = False
    return 0


def attach(state: State, device: Device, slot: int, kind: DomainKind, sink: int | None) -> int:
    """iommufd attach: -EOPNOTSUPP before v6.11, -ENOENT no such fault object, -EBUSY."""
    domain = _domain(state, kind, sink)
    if isinstance(domain, int):
        return domain
    if not device.registered:
        return ENODEV
    if slot in device.slots:
        return EBUSY
    done = _attach(state, device, slot, domain)
    return 0 if isinstance(done, Handle) else done


def _domain(state: State, kind: DomainKind, sink: int | None) -> Domain | int:
    if not state.flow.user_space:
        return EOPNOTSUPP
    if kind != DomainKind.FAULT:
        return Domain(kind)
    if sink is None or sink not in state.objects:
        return ENOENT
    return Domain(kind, sink=state.objects[sink])


def replace(state: State, device: Device, slot: int, kind: DomainKind, sink: int | None) -> int:
    """Replace the domain atomically and answer the groups of the old handle. -EINVAL: nothing attached."""
    old = device.slots.get(slot)
    domain = _domain(state, kind, sink)
    if isinstance(domain, int):
        return domain
    if old is None:
        return EINVAL
    done = _attach(state, device, slot, domain)
    if not isinstance(done, Handle):
        return done
    _iopf_drop(state, device, old.domain)
    if old.domain.sink is not None:
        state.flow.end_handle(state, old.domain.sink, old)
    return 0


def detach(state: State, device: Device, slot: int) -> Waiting:
    """Detach a domain: -EINVAL without one."""
    if not state.flow.user_space:
        return EOPNOTSUPP
    handle = device.slots.get(slot)
    if handle is None:
        return EINVAL
    return (yield from _detach(state, handle))
