# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The two ends of a device's life. Orders by generation: see ``hotplug.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.kernel.core.domain cimport domain_of
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.iommu_ops cimport ops_of
from iopf.emulator.kernel.core.queue cimport *
from iopf.emulator.kernel.core.registration cimport *
from iopf.emulator.kernel.sva.sva cimport iommu_sva_unbind_device
from iopf.emulator.kernel.iommufd.attach cimport iommu_detach_handle
from iopf.emulator.board.board cimport view
from iopf.emulator.board.changes cimport change_begin, change_end
from iopf.emulator.spec.classes cimport POOL_HANDLE, POOL_MM
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.iommus cimport iommu_regs, regs_of, unit_of
from iopf.emulator.board.objects cimport attach_handle, iommu_domain, mm_struct
from iopf.emulator.board.pasid_table cimport PTE_PASS, PTE_PRESENT, pasid_array
from iopf.emulator.spec.program cimport *
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EALREADY, EBUSY, ENODEV

cdef enum:
    UNREGISTER_TRIES = 1000
    TRY_NS = 50000


cdef int enable_iopf(view *v, uint32_t dev) noexcept nogil:
    """Until v6.15 (IOMMU_DEV_FEAT_IOPF): 0, or the error of the step that failed; what was done before it is undone."""
    cdef int ret
    if flow_of(v).enabled_by_attach or flow_of(v).made_by_fault:
        return 0
    ret = iopf_queue_add_device(v, device_queue(v, dev), dev)
    if ret == 0 and flow_of(v).registers_handler:
        ret = iommu_register_device_fault_handler(v, dev)
        if ret != 0:
            iopf_queue_remove_device(v, device_queue(v, dev), dev)
    return ret


cdef int probe_locked(view *v, uint32_t dev) noexcept nogil:
    cdef device *d = &v.devices[dev]
    cdef iommu_regs *regs = regs_of(v, dev)
    cdef int ret
    if d.registered:
        return EALREADY
    if not read32(v.self, &d.link_up, PROBE_DEVICE):
        return ENODEV
    ret = enable_iopf(v, dev)
    if ret != 0:
        return ret
    mutex_lock(v.self, &regs.iopf_lock, PROBE_DEVICE)
    write32(v.self, &d.registered, 1, PROBE_DEVICE)
    mutex_unlock(v.self, &regs.iopf_lock, PROBE_DEVICE)
    mutex_lock(v.self, &v.board.sva_lock, PROBE_DEVICE)
    d.removing = 0
    mutex_unlock(v.self, &v.board.sva_lock, PROBE_DEVICE)
    change_begin(v.self, &d.changes, PROBE_DEVICE)
    ops_of(v).set_dev_pasid(v, dev, 0, 0, PROBE_DEVICE)
    write32(v.self, &d.resets, d.resets + 1, PROBE_DEVICE)  # the reset empties the function's cache
    change_end(v.self, &d.changes, PROBE_DEVICE)
    ops_of(v).enable_faults(v, dev, PROBE_DEVICE)
    bell_ring(v.self, crew_actor(v.crew, d.actor), PROBE_DEVICE)
    return 0


cdef int iommu_probe_device(view *v, uint32_t dev) noexcept nogil:
    """0, -ENODEV (no such function, or it is gone), -EALREADY, -EBUSY, -ENOMEM."""
    cdef int ret
    if dev >= v.cfg.devices:
        return ENODEV
    mutex_lock(v.self, &v.devices[dev].device_lock, PROBE_DEVICE)
    ret = probe_locked(v, dev)
    mutex_unlock(v.self, &v.devices[dev].device_lock, PROBE_DEVICE)
    return ret


cdef void forget_bond(view *v, attach_handle *handle) noexcept nogil:
    """The tenant's device may not send for this bond any more, before it is stopped."""
    cdef mm_struct *mm = <mm_struct *>pool_try(v.self, v.pools[POOL_MM], handle.mm, RELEASE_DEVICE)
    if mm != NULL and mm.tenant < v.cfg.tenants:
        and64(v.self, &v.tenants[mm.tenant].bound[handle.device >> 6], ~(<uint64_t>1 << (handle.device & 63)), RELEASE_DEVICE)


cdef uint64_t bond_at(view *v, uint32_t dev, uint32_t pasid, bint *shared) noexcept nogil:
    """What is attached under one PASID, 0 nothing; ``shared``: an SVA bond, whose tenant's device may not send for it from here on. Its
    owner may be ending it at the same time, so it is looked at under the lock that covers its free."""
    cdef attach_handle *handle
    cdef iommu_domain *domain = NULL
    cdef uint64_t ref = read64(v.self, &pasid_array(v, dev)[pasid], RELEASE_DEVICE)
    if ref == 0:
        return 0  # no attachment can follow
    mutex_lock(v.self, &v.board.sva_lock, RELEASE_DEVICE)
    ref = read64(v.self, &pasid_array(v, dev)[pasid], RELEASE_DEVICE)
    handle = <attach_handle *>pool_try(v.self, v.pools[POOL_HANDLE], ref, RELEASE_DEVICE)
    if handle != NULL:
        domain = domain_of(v, handle.domain, RELEASE_DEVICE)
    shared[0] = domain != NULL and domain.kind == DOMAIN_SVA
    if shared[0]:
        forget_bond(v, handle)
    mutex_unlock(v.self, &v.board.sva_lock, RELEASE_DEVICE)
    return ref if handle != NULL else 0


cdef void end_slot(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """Ends what is attached under one PASID, by any owner."""
    cdef uint64_t ref
    cdef uint32_t n = 0
    cdef bint shared = False
    while n < 4096:
        n += 1
        ref = bond_at(v, dev, pasid, &shared)
        if ref == 0:
            return
        if (iommu_sva_unbind_device(v, ref) if shared else iommu_detach_handle(v, dev, pasid)) != 0:
            return  # its owner has ended it, or died while it did; no bind can follow


cdef int disable_iopf(view *v, uint32_t dev) noexcept nogil:
    """Caller has stopped reception. Until v6.8 a pending response refuses the unregistration: it is flushed and asked again."""
    cdef int ret
    cdef uint32_t tries = 0
    while flow_of(v).registers_handler and tries < UNREGISTER_TRIES:
        ret = iommu_unregister_device_fault_handler(v, dev)
        if ret != EBUSY:
            break
        iopf_queue_flush_dev(v, dev)
        point_nap(v.self, RELEASE_DEVICE << 8 | OP_NAP, TRY_NS)  # the call says -EBUSY and has no completion to wait for
        tries += 1
    return iopf_queue_remove_device(v, device_queue(v, dev), dev)


cdef void attach_release_domain(view *v, uint32_t dev) noexcept nogil:
    """v6.9 and later: before the driver releases the device, its RID gets the static release domain (0061ffe289e1). The others leave
    it without a translation, which is what blocking does too."""
    cdef bint identity = v.devices[dev].release_identity and flow_of(v).release_domain
    ops_of(v).set_dev_pasid(v, dev, 0, PTE_PRESENT | PTE_PASS if identity else 0, RELEASE_DEVICE)


cdef int release_locked(view *v, uint32_t dev) noexcept nogil:
    cdef device *d = &v.devices[dev]
    cdef iommu_regs *regs = regs_of(v, dev)
    cdef uint32_t pasid
    if not d.registered:
        return ENODEV
    mutex_lock(v.self, &v.board.sva_lock, RELEASE_DEVICE)
    d.removing = 1  # from here on no bind can find the device
    mutex_unlock(v.self, &v.board.sva_lock, RELEASE_DEVICE)
    if defect(v, DEFECT_IOPF_DISABLED_BEFORE_SVA):
        disable_iopf(v, dev)
    for pasid in range(v.cfg.max_pasids):
        end_slot(v, dev, pasid)
    attach_release_domain(v, dev)
    ops_of(v).block_faults(v, dev, RELEASE_DEVICE)
    if flow_of(v).acknowledges:
        ops_of(v).fence(v, dev)
    disable_iopf(v, dev)
    if flow_of(v).acknowledges:
        ops_of(v).sync(v, unit_of(v, dev), RELEASE_DEVICE)
    ops_of(v).disable_faults(v, dev, RELEASE_DEVICE)
    mutex_lock(v.self, &regs.iopf_lock, RELEASE_DEVICE)
    write32(v.self, &d.registered, 0, RELEASE_DEVICE)
    mutex_unlock(v.self, &regs.iopf_lock, RELEASE_DEVICE)
    if flow_of(v).made_by_fault:
        # A report that ran meanwhile has made a new object; from here on none can.
        iopf_queue_remove_device(v, device_queue(v, dev), dev)
    return 0


cdef int iommu_release_device(view *v, uint32_t dev) noexcept nogil:
    """Removal, orderly or after the function has vanished: 0, -ENODEV when it is not there."""
    cdef int ret
    if dev >= v.cfg.devices:
        return ENODEV
    mutex_lock(v.self, &v.devices[dev].device_lock, RELEASE_DEVICE)
    ret = release_locked(v, dev)
    mutex_unlock(v.self, &v.devices[dev].device_lock, RELEASE_DEVICE)
    return ret
