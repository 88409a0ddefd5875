# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Bind and unbind. Objects, locks and errors: see ``sva.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.attach cimport *
from iopf.emulator.kernel.core.domain cimport *
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.sva.sva_mm cimport *
from iopf.emulator.board.board cimport note_event, view
from iopf.emulator.spec.classes cimport POOL_DOMAIN, POOL_HANDLE, POOL_MM
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.objects cimport attach_handle, iommu_domain, mm_struct
from iopf.emulator.board.pasid_table cimport pasid_array
from iopf.emulator.spec.program cimport *
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EBUSY, ENODEV, ENOMEM, ESRCH


cdef int mm_prepare(view *v, uint32_t dev, mm_struct *mm) noexcept nogil:
    """The mm's PASID and domain. Caller holds sva_lock. 0, -EOVERFLOW, -ENOSPC, -ENOMEM, -ESRCH (the mm is dying)."""
    cdef iommu_domain *domain
    cdef int ret
    if read32(v.self, &mm.users, SVA_BIND) == 0:
        return ESRCH
    ret = flow_of(v).pasid_get(v, dev, mm)
    if ret != 0:
        return ret
    if mm.domain == 0:
        domain = domain_alloc(v, DOMAIN_SVA, mm, 0)
        if domain == NULL:
            flow_of(v).pasid_put(v, mm)
            return ENOMEM
        mm.domain = pool_ref(v.pools[POOL_DOMAIN], &domain.hdr)
    return 0


cdef void unused_domain(view *v, mm_struct *mm) noexcept nogil:
    """After a failed bind: free a domain without users."""
    cdef iommu_domain *domain = domain_of(v, mm.domain, SVA_BIND)
    if domain != NULL and domain.users == 0:
        domain_put(v, domain)


cdef int share_handle(view *v, attach_handle *handle, mm_struct *mm, uint64_t ref, uint64_t *handle_out) noexcept nogil:
    """A second bind of the same (device, mm) counts; a slot that belongs to something else is -EBUSY."""
    cdef iommu_domain *domain = domain_of(v, handle.domain, SVA_BIND)
    if domain == NULL or domain.kind != DOMAIN_SVA or handle.mm != pool_ref(v.pools[POOL_MM], &mm.hdr):
        return EBUSY
    if defect(v, DEFECT_SECOND_BIND_REFUSED) or (handle.not_first and defect(v, DEFECT_SECOND_DEVICE_UNSHARED)):
        return EBUSY  # nothing finds the handle: what is attached to the slot is in the way
    if not defect(v, DEFECT_HANDLE_SHARING_LOST):
        handle.users += 1
    handle_out[0] = ref
    return 0


cdef int bind_new(view *v, uint32_t dev, mm_struct *mm, uint64_t *handle_out) noexcept nogil:
    cdef iommu_domain *domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], mm.domain, SVA_BIND)
    cdef attach_handle *handle = <attach_handle *>pool_alloc(v.self, v.pools[POOL_HANDLE], SVA_BIND)
    cdef int ret
    if handle == NULL or domain == NULL:
        if handle != NULL:
            pool_free(v.self, v.pools[POOL_HANDLE], &handle.hdr, SVA_BIND)
        return ENOMEM
    handle.users = 1
    handle.not_first = domain.users != 0
    mutex_lock(v.self, &v.devices[dev].group_lock, ATTACH_PASID)
    ret = attach_locked(v, dev, mm.pasid, handle, domain)
    mutex_unlock(v.self, &v.devices[dev].group_lock, ATTACH_PASID)
    if ret != 0:
        pool_free(v.self, v.pools[POOL_HANDLE], &handle.hdr, SVA_BIND)
        return ret
    domain.users += 1
    xadd64_rlx(&v.devices[dev].kern.binds, 1)
    note_event(v, crew_ticks(v.crew), SVA_BIND, mm.pasid, <uint64_t>dev << 32)
    handle_out[0] = pool_ref(v.pools[POOL_HANDLE], &handle.hdr)
    return 0


cdef int bind_locked(view *v, uint32_t dev, mm_struct *mm, uint64_t *handle_out) noexcept nogil:
    cdef attach_handle *handle
    cdef uint64_t ref
    cdef int ret = mm_prepare(v, dev, mm)
    if ret != 0:
        return ret
    ref = ld64_acq(&pasid_array(v, dev)[mm.pasid])
    if ref != 0:
        handle = <attach_handle *>pool_deref(v.self, v.pools[POOL_HANDLE], ref, SVA_BIND)
        ret = share_handle(v, handle, mm, ref, handle_out) if handle != NULL else EBUSY
    else:
        ret = bind_new(v, dev, mm, handle_out)
    if ret != 0:
        unused_domain(v, mm)
    if ret != 0 or (ref != 0 and not defect(v, DEFECT_PASID_REF_LEAK)):
        flow_of(v).pasid_put(v, mm)  # what shares a bond does not count
    return ret


cdef int iommu_sva_bind_device(view *v, uint32_t dev, mm_struct *mm, uint64_t *handle_out) noexcept nogil:
    """Shares the address space with the device: 0 and the handle, or an error of the table in ``sva.pxd``."""
    cdef int ret = ENODEV
    mutex_lock(v.self, &v.board.sva_lock, SVA_BIND)
    if dev < v.cfg.devices and read32(v.self, &v.devices[dev].registered, SVA_BIND) and not v.devices[dev].removing:
        ret = bind_locked(v, dev, mm, handle_out)
    mutex_unlock(v.self, &v.board.sva_lock, SVA_BIND)
    return ret


cdef void last_unbind(view *v, attach_handle *handle) noexcept nogil:
    """Caller holds sva_lock."""
    cdef uint32_t dev = handle.device
    cdef iommu_domain *domain
    cdef mm_struct *mm = <mm_struct *>pool_deref(v.self, v.pools[POOL_MM], handle.mm, SVA_UNBIND)
    if dev >= v.cfg.devices or mm == NULL:
        return
    mutex_lock(v.self, &v.devices[dev].group_lock, DETACH_PASID)
    detach_locked(v, dev, handle.pasid, handle, True)
    mutex_unlock(v.self, &v.devices[dev].group_lock, DETACH_PASID)
    xadd64_rlx(&v.devices[dev].kern.unbinds, 1)
    note_event(v, crew_ticks(v.crew), SVA_UNBIND, handle.pasid, <uint64_t>dev << 32)
    flow_of(v).pasid_put(v, mm)
    domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], handle.domain, SVA_UNBIND)
    if domain != NULL and domain.users == 1 and defect(v, DEFECT_AUX_PASID_DOUBLE_FREE):
        pasid_free(v, mm.pasid)  # with its last device; the number stays where the next bind looks for one
    if domain != NULL:
        domain_put(v, domain)
    if defect(v, DEFECT_UNBIND_UAF_IOMMU_MM):
        pool_deref(v.self, v.pools[POOL_MM], handle.mm, SVA_UNBIND)  # mm->iommu_mm, once more
    pool_free(v.self, v.pools[POOL_HANDLE], &handle.hdr, SVA_UNBIND)


cdef int iommu_sva_unbind_device(view *v, uint64_t handle_ref) noexcept nogil:
    """Ends one bind: 0, or -ENODEV when the handle is gone already (its device was removed)."""
    cdef attach_handle *handle
    mutex_lock(v.self, &v.board.sva_lock, SVA_UNBIND)
    handle = <attach_handle *>pool_try(v.self, v.pools[POOL_HANDLE], handle_ref, SVA_UNBIND)
    if handle == NULL or handle.users == 0:  # 0: the process that ended it died before the free
        mutex_unlock(v.self, &v.board.sva_lock, SVA_UNBIND)
        return ENODEV
    handle.users -= 1
    if handle.users == 0:
        last_unbind(v, handle)
    mutex_unlock(v.self, &v.board.sva_lock, SVA_UNBIND)
    return 0
