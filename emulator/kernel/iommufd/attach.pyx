# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Attachments that user space asks for. What may run against what: see ``attach.pxd``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.attach cimport *
from iopf.emulator.kernel.core.domain cimport *
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.board.board cimport view
from iopf.emulator.board.changes cimport change_begin, change_end
from iopf.emulator.spec.classes cimport POOL_DOMAIN, POOL_HANDLE
from iopf.emulator.board.objects cimport attach_handle, iommu_domain, mm_struct
from iopf.emulator.board.pasid_table cimport pasid_array
from iopf.emulator.spec.program cimport *
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EBUSY, EINVAL, ENODEV, ENOENT, ENOMEM, ENOSPC, EOPNOTSUPP


cdef int check_attach(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil:
    """-EOPNOTSUPP before v6.11, which brought attach handles; -ENODEV for a device that is not there, -EINVAL for what cannot be
    attached, -ENOENT for a fault object that is not; 0."""
    if not flow_of(v).attach_handles:
        return EOPNOTSUPP
    if dev >= v.cfg.devices or not read32(v.self, &v.devices[dev].registered, ATTACH_PASID) or v.devices[dev].removing:
        return ENODEV
    if pasid >= v.cfg.max_pasids or kind == DOMAIN_SVA or kind < DOMAIN_BLOCKING or kind > DOMAIN_FAULT:
        return EINVAL
    if (kind == DOMAIN_PAGING or kind == DOMAIN_FAULT) and mm == NULL:
        return EINVAL
    if kind == DOMAIN_FAULT and (fault_object == 0 or fault_object > v.cfg.fault_objects or v.board.fault_object[fault_object - 1] == 0):
        return ENOENT
    return 0


cdef bint note_user_pasid(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """Caller holds group_lock. False when user space has attached as many PASIDs of the device as can be kept."""
    cdef uint32_t i
    for i in range(8):
        if v.devices[dev].user_pasids[i] == 0:
            write32(v.self, &v.devices[dev].user_pasids[i], pasid + 1, ATTACH_PASID)
            return True
    return False


cdef void forget_user_pasid(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    cdef uint32_t i
    for i in range(8):
        if v.devices[dev].user_pasids[i] == pasid + 1:
            write32(v.self, &v.devices[dev].user_pasids[i], 0, DETACH_PASID)


cdef int attach_new(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil:
    """Caller holds sva_lock. A domain of its own for each attachment of a user (hwpt)."""
    cdef iommu_domain *domain = domain_alloc(v, kind, mm, fault_object)
    cdef attach_handle *handle
    cdef int ret = ENOMEM
    if domain == NULL:
        return ENOMEM
    domain.users = 1
    handle = <attach_handle *>pool_alloc(v.self, v.pools[POOL_HANDLE], ATTACH_PASID)
    if handle != NULL:
        handle.users = 1
        mutex_lock(v.self, &v.devices[dev].group_lock, ATTACH_PASID)
        if ld64_acq(&pasid_array(v, dev)[pasid]) != 0:
            ret = EBUSY
        elif not note_user_pasid(v, dev, pasid):
            ret = ENOSPC
        else:
            ret = attach_locked(v, dev, pasid, handle, domain)
            if ret != 0:
                forget_user_pasid(v, dev, pasid)
        mutex_unlock(v.self, &v.devices[dev].group_lock, ATTACH_PASID)
        if ret != 0:
            pool_free(v.self, v.pools[POOL_HANDLE], &handle.hdr, ATTACH_PASID)
    if ret != 0:
        domain_put(v, domain)
    return ret


cdef int iommu_attach_handle(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil:
    """Attaches a new domain to an empty slot: 0, -ENODEV, -EINVAL, -EBUSY (something is attached), -ENOSPC, -ENOMEM."""
    cdef int ret
    mutex_lock(v.self, &v.board.sva_lock, ATTACH_PASID)
    ret = check_attach(v, dev, pasid, kind, mm, fault_object)
    if ret == 0:
        ret = attach_new(v, dev, pasid, kind, mm, fault_object)
    mutex_unlock(v.self, &v.board.sva_lock, ATTACH_PASID)
    return ret


cdef int replace_locked(view *v, uint32_t dev, uint32_t pasid, attach_handle *old, iommu_domain *domain) noexcept nogil:
    """Caller holds group_lock. One store changes the entry; on failure the old domain stays. The old handle is freed here."""
    cdef iommu_domain *before = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], old.domain, REPLACE_PASID)
    cdef attach_handle *handle = <attach_handle *>pool_alloc(v.self, v.pools[POOL_HANDLE], REPLACE_PASID)
    cdef int ret
    if handle == NULL or before == NULL:
        if handle != NULL:
            pool_free(v.self, v.pools[POOL_HANDLE], &handle.hdr, REPLACE_PASID)
        return ENOMEM
    handle.users = 1
    change_begin(v.self, &v.devices[dev].changes, REPLACE_PASID)
    ret = attach_locked(v, dev, pasid, handle, domain)
    if ret == 0:
        flow_of(v).end_faults(v, dev, pasid, before)
    change_end(v.self, &v.devices[dev].changes, REPLACE_PASID)
    if ret != 0:
        pool_free(v.self, v.pools[POOL_HANDLE], &handle.hdr, REPLACE_PASID)
        return ret
    if domain_takes_faults(before):
        iopf_put(v, dev)
    flow_of(v).auto_respond(v, old, before)
    pool_free(v.self, v.pools[POOL_HANDLE], &old.hdr, REPLACE_PASID)
    domain_put(v, before)
    return 0


cdef int replace_new(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil:
    cdef iommu_domain *domain
    cdef attach_handle *old
    cdef iommu_domain *before
    cdef int ret = EINVAL
    domain = domain_alloc(v, kind, mm, fault_object)
    if domain == NULL:
        return ENOMEM
    domain.users = 1
    mutex_lock(v.self, &v.devices[dev].group_lock, REPLACE_PASID)
    old = iommu_attach_handle_get(v, dev, pasid)
    if old != NULL:
        before = domain_of(v, old.domain, REPLACE_PASID)
        if before != NULL and before.kind != DOMAIN_SVA:
            ret = replace_locked(v, dev, pasid, old, domain)
    mutex_unlock(v.self, &v.devices[dev].group_lock, REPLACE_PASID)
    if ret != 0:
        domain_put(v, domain)
    return ret


cdef int iommu_replace_handle(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil:
    """Replaces what is attached by a new domain without a gap: 0, -ENODEV, -EINVAL (nothing to replace, or an SVA bond), -ENOMEM."""
    cdef int ret
    mutex_lock(v.self, &v.board.sva_lock, REPLACE_PASID)
    ret = check_attach(v, dev, pasid, kind, mm, fault_object)
    if ret == 0:
        ret = replace_new(v, dev, pasid, kind, mm, fault_object)
    mutex_unlock(v.self, &v.board.sva_lock, REPLACE_PASID)
    return ret


cdef int iommu_detach_handle(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """Detaches: 0, -ENOENT (nothing is attached), -EINVAL (an SVA bond: unbind it). Faults held by user space are answered INVALID."""
    cdef attach_handle *handle
    cdef iommu_domain *domain
    cdef int ret = ENOENT
    if not flow_of(v).attach_handles:
        return EOPNOTSUPP
    if dev >= v.cfg.devices or pasid >= v.cfg.max_pasids:
        return EINVAL
    mutex_lock(v.self, &v.board.sva_lock, DETACH_PASID)
    mutex_lock(v.self, &v.devices[dev].group_lock, DETACH_PASID)
    handle = iommu_attach_handle_get(v, dev, pasid)
    domain = domain_of(v, handle.domain, DETACH_PASID) if handle != NULL else NULL
    if domain != NULL and domain.kind == DOMAIN_SVA:
        ret = EINVAL
    elif domain != NULL:
        # No stop first: the translation is gone, the device sees refusals and stops by itself.
        detach_locked(v, dev, pasid, handle, False)
        forget_user_pasid(v, dev, pasid)
        pool_free(v.self, v.pools[POOL_HANDLE], &handle.hdr, DETACH_PASID)
        domain_put(v, domain)
        ret = 0
    mutex_unlock(v.self, &v.devices[dev].group_lock, DETACH_PASID)
    mutex_unlock(v.self, &v.board.sva_lock, DETACH_PASID)
    return ret
