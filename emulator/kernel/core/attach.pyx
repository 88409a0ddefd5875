# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Attach handles. Slots, locks and the atomic replace: see ``attach.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.kernel.core.domain cimport domain_takes_faults
from iopf.emulator.kernel.iommufd.eventq cimport iommufd_auto_response_faults
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.iommu_ops cimport ops_of
from iopf.emulator.kernel.core.fault_param cimport iopf_get_dev_fault_param, iopf_put_dev_fault_param
from iopf.emulator.kernel.core.group cimport acknowledge_pending
from iopf.emulator.kernel.core.queue cimport device_queue, iopf_queue_add_device, iopf_queue_remove_device
from iopf.emulator.mm.mm cimport mm_index_of
from iopf.emulator.board.board cimport view
from iopf.emulator.board.changes cimport change_begin, change_end
from iopf.emulator.spec.classes cimport POOL_DOMAIN, POOL_HANDLE, POOL_MM
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.objects cimport attach_handle, fault_param, iommu_domain, mm_struct
from iopf.emulator.board.pasid_table cimport PTE_PASS, PTE_PRESENT, pasid_array, pasid_entry
from iopf.emulator.spec.program cimport *
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *


cdef attach_handle *iommu_attach_handle_get(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """The handle in a slot, or NULL. No reference: it is freed after a drain."""
    cdef uint64_t *slot
    cdef uint64_t ref
    if pasid >= v.cfg.max_pasids:
        return NULL
    slot = &pasid_array(v, dev)[pasid]
    point(v.self, FIND_FAULT_HANDLER << 8 | OP_FIELD_READ, slot, ACC_READ)
    ref = ld64_acq(slot)
    return <attach_handle *>pool_deref(v.self, v.pools[POOL_HANDLE], ref, FIND_FAULT_HANDLER) if ref else NULL


cdef attach_handle *find_fault_handler(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    """The handle whose domain takes the faults of this request, or NULL. A request without PASID looks at the RID's slot."""
    cdef attach_handle *handle
    cdef iommu_domain *domain
    if fault_pasid_valid(fault) and fault.pasid == 0:
        return NULL
    handle = iommu_attach_handle_get(v, dev, fault.pasid if fault_pasid_valid(fault) else 0)
    if handle == NULL:
        return NULL
    domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], handle.domain, FIND_FAULT_HANDLER)
    return handle if domain != NULL and domain_takes_faults(domain) else NULL


cdef uint64_t entry_for(view *v, iommu_domain *domain) noexcept nogil:
    """The PASID table entry of a domain: 0 (not present) unless it has a table or passes through."""
    cdef mm_struct *mm = <mm_struct *>pool_try(v.self, v.pools[POOL_MM], domain.mm, ATTACH_PASID)
    if domain.kind == DOMAIN_IDENTITY:
        return PTE_PRESENT | PTE_PASS
    if mm == NULL or domain.kind == DOMAIN_BLOCKING:
        return 0
    return pasid_entry(mm_index_of(v, mm), mm.mm_id)


cdef int iopf_get(view *v, uint32_t dev) noexcept nogil:
    """v6.16 and later: the first fault-capable attachment puts the device on its queue. Before it only counts; gunthorpe has no need."""
    cdef device *d = &v.devices[dev]
    cdef int ret = 0
    if flow_of(v).enabled_by_attach and d.iopf_refcount == 0:
        ret = iopf_queue_add_device(v, device_queue(v, dev), dev)
    if ret == 0:
        write32(v.self, &d.iopf_refcount, d.iopf_refcount + 1, ATTACH_PASID)
    return ret


cdef void iopf_put(view *v, uint32_t dev) noexcept nogil:
    cdef device *d = &v.devices[dev]
    write32(v.self, &d.iopf_refcount, d.iopf_refcount - 1, DETACH_PASID)
    if flow_of(v).enabled_by_attach and d.iopf_refcount == 0:
        iopf_queue_remove_device(v, device_queue(v, dev), dev)


cdef void store_handle(view *v, uint32_t dev, uint32_t pasid, uint64_t ref) noexcept nogil:
    """gunthorpe stores it under the lock that a report holds while it looks the domain up and counts it."""
    if flow_of(v).counts_domain:
        mutex_lock(v.self, &v.devices[dev].param_lock, ATTACH_PASID)
        write64(v.self, &pasid_array(v, dev)[pasid], ref, ATTACH_PASID)
        mutex_unlock(v.self, &v.devices[dev].param_lock, ATTACH_PASID)
        return
    write64(v.self, &pasid_array(v, dev)[pasid], ref, ATTACH_PASID)


cdef int attach_locked(view *v, uint32_t dev, uint32_t pasid, attach_handle *handle, iommu_domain *domain) noexcept nogil:
    """Caller holds group_lock and has found the slot empty. 0, or what putting the device on its queue said."""
    cdef int ret
    if domain_takes_faults(domain):
        ret = iopf_get(v, dev)
        if ret != 0:
            return ret
    handle.domain = pool_ref(v.pools[POOL_DOMAIN], &domain.hdr)
    handle.mm = domain.mm
    handle.device = dev
    handle.pasid = pasid
    ops_of(v).set_dev_pasid(v, dev, pasid, entry_for(v, domain), ATTACH_PASID)
    store_handle(v, dev, pasid, pool_ref(v.pools[POOL_HANDLE], &handle.hdr))
    return 0


cdef void end_by_acknowledging(view *v, uint32_t dev, uint32_t pasid, iommu_domain *domain) noexcept nogil:
    """gunthorpe: the groups of the old domain are acknowledged and marked; domain_put waits for workers that still look at it."""
    cdef fault_param *param
    ops_of(v).flush_dev_iotlb(v, dev, pasid)
    param = iopf_get_dev_fault_param(v, dev)
    if param == NULL:
        return
    acknowledge_pending(v, param, pool_ref(v.pools[POOL_DOMAIN], &domain.hdr), pasid + 1)
    iopf_put_dev_fault_param(v, param)


cdef void end_by_drain(view *v, uint32_t dev, uint32_t pasid, iommu_domain *domain) noexcept nogil:
    """The merged kernels. Also when the domain takes no faults: a report of a request of its PASID looks at the handle."""
    ops_of(v).flush_dev_iotlb(v, dev, pasid)
    if read32(v.self, &v.devices[dev].pri_enabled, DETACH_PASID) and not defect(v, DEFECT_DOMAIN_LIFETIME_IN_HANDLER):
        ops_of(v).drain(v, dev, pasid)


cdef void auto_respond(view *v, attach_handle *old, iommu_domain *domain) noexcept nogil:
    """iommufd, after the change: what user space still holds of the old handle is answered INVALID."""
    if domain.fault_object != 0 and not defect(v, DEFECT_REPLACE_AUTO_RESPONDS_NEW_HWPT):
        iommufd_auto_response_faults(v, domain.fault_object - 1, pool_ref(v.pools[POOL_HANDLE], &old.hdr))


cdef void leave_to_user(view *v, attach_handle *old, iommu_domain *domain) noexcept nogil:
    """gunthorpe: the groups are acknowledged already, and marked; a late answer of user space does nothing."""


cdef void detach_locked(view *v, uint32_t dev, uint32_t pasid, attach_handle *handle, bint stop) noexcept nogil:
    """Entry, device TLB, drain; then the handle disappears and the IOPF count drops (order of v6.16). Caller holds group_lock."""
    cdef iommu_domain *domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], handle.domain, DETACH_PASID)
    if stop:
        stop_pasid(v, dev, pasid)
    if domain == NULL:
        return
    if defect(v, DEFECT_REMOVE_BEFORE_DRAIN) and domain_takes_faults(domain):
        iopf_put(v, dev)
    change_begin(v.self, &v.devices[dev].changes, DETACH_PASID)
    ops_of(v).set_dev_pasid(v, dev, pasid, 0, DETACH_PASID)
    if flow_of(v).acknowledges:
        store_handle(v, dev, pasid, 0)
        flow_of(v).end_faults(v, dev, pasid, domain)
    else:
        flow_of(v).end_faults(v, dev, pasid, domain)
        store_handle(v, dev, pasid, 0)
    change_end(v.self, &v.devices[dev].changes, DETACH_PASID)
    if domain_takes_faults(domain) and not defect(v, DEFECT_REMOVE_BEFORE_DRAIN):
        iopf_put(v, dev)
    flow_of(v).auto_respond(v, handle, domain)


cdef struct stop_wait:
    view *v
    device *d
    uint32_t sequence


cdef uint64_t stopped(void *arg) noexcept nogil:
    cdef stop_wait *s = <stop_wait *>arg
    return read32(s.v.self, &s.d.stop_done, DETACH_PASID) == s.sequence or not read32(s.v.self, &s.d.link_up, DETACH_PASID)


cdef void stop_pasid(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """The device driver's part of unbind: the function stops using the PASID and says when it has (PCIe, stop of a PASID).

    Caller holds group_lock, so one stop is under way per function. A function that is gone has stopped.
    """
    cdef device *d = &v.devices[dev]
    cdef stop_wait s
    s.v, s.d, s.sequence = v, d, d.stop_request + 1
    d.stop_pasid = pasid
    d.stop_actor = v.self.slot
    point(v.self, DETACH_PASID << 8 | OP_REG_WRITE, &d.stop_request, ACC_WRITE)
    st32_rel(&d.stop_request, s.sequence)
    bell_ring(v.self, crew_actor(v.crew, d.actor), DETACH_PASID)
    # The function rings when it has stopped; a driver that unplugs it, and the supervisor when its process is dead, ring every actor.
    wait_until(v.self, bell_of(v.self), stopped, &s, <uint64_t>-1, DETACH_PASID)
