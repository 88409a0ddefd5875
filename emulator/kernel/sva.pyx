# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Bind, unbind and mm release, as of v7.2. Objects, locks and phases stand in ``sva.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.mutex cimport *
from cython_ext.pool cimport *
from cython_ext.refcount cimport *
from cython_ext.wait cimport *
from emulator.kernel.iopf_queue cimport iopf_queue_add_device, iopf_queue_remove_device
from emulator.kernel.prq cimport intel_iommu_drain_pasid_prq
from emulator.kernel.qi cimport qi_dev_tlb_inv, qi_flush_dev_iotlb, qi_wait
from emulator.mm.mm cimport mm_exit_tables, mm_index_of, mmdrop, mmgrab, mmput_last
from emulator.spec.board cimport *
from emulator.spec.sites cimport *

cdef enum:
    STOP_POLL_NS = 100000000


cdef uint32_t pasid_alloc(view *v) noexcept nogil:
    """The lowest free PASID in 1 .. max_pasids - 1, or 0 (-ENOSPC)."""
    cdef uint64_t *words = <uint64_t *>view_region(v, OFF_PASID_BITMAP)
    cdef uint32_t i, bit, found = 0
    mutex_lock(v.self, &v.board.pasid_lock, PASID_ALLOC)
    for i in range(v.cfg.max_pasids // 64 if v.cfg.max_pasids >= 64 else 1):
        if ~words[i] == 0:
            continue
        bit = <uint32_t>trailing_zeros64(~words[i])
        if i * 64 + bit < v.cfg.max_pasids:
            words[i] |= <uint64_t>1 << bit
            found = i * 64 + bit
        break
    mutex_unlock(v.self, &v.board.pasid_lock, PASID_ALLOC)
    return found


cdef void pasid_free(view *v, uint32_t pasid) noexcept nogil:
    cdef uint64_t *words = <uint64_t *>view_region(v, OFF_PASID_BITMAP)
    if pasid == 0 or pasid >= v.cfg.max_pasids:
        return
    mutex_lock(v.self, &v.board.pasid_lock, PASID_FREE)
    if not words[pasid >> 6] >> (pasid & 63) & 1:
        verdict_raise(v.self, VERDICT_DOUBLE_FREE, POOL_CLASSES, pasid, 0, 0, 2, PASID_FREE)
    words[pasid >> 6] &= ~(<uint64_t>1 << (pasid & 63))
    mutex_unlock(v.self, &v.board.pasid_lock, PASID_FREE)


cdef void sva_mmdrop(view *v, mm_struct *mm) noexcept nogil:
    """The last holder of the structure frees the PASID with it (2667ed10d9f0), so no live domain can lose its number."""
    if not mmdrop(v, mm):
        return
    pasid_free(v, mm.pasid)
    pool_free(v.self, v.pools[POOL_MM], &mm.hdr, MMPUT)


cdef void sva_mmput(view *v, mm_struct *mm) noexcept nogil:
    """Gives a user back. The last one runs exit_mmap here: quiet abort first, then mappings and tables go."""
    if not mmput_last(v, mm):
        return
    sva_mm_release(v, mm)
    mm_exit_tables(v, mm)
    sva_mmdrop(v, mm)


cdef bint entry_is(uint64_t entry, mm_struct *mm, uint32_t index) noexcept nogil:
    return entry & PTE_PRESENT and (entry & ~<uint64_t>PTE_QUIET) == pasid_entry(index, mm.mm_id)


cdef void sva_mm_release(view *v, mm_struct *mm) noexcept nogil:
    """The notifier: marks every entry of this mm quiet and invalidates the devices. Waits for devices, never for workers."""
    cdef uint32_t pasid = ld32_acq(&mm.pasid), dev, index = mm_index_of(v, mm)
    cdef uint64_t *slot
    cdef uint64_t entry
    cdef bint any_bound = False
    if pasid == 0 or pasid >= v.cfg.max_pasids:
        return
    for dev in range(v.cfg.devices):
        slot = &pasid_table(v, dev)[pasid]
        entry = ld64_acq(slot)
        if not entry_is(entry, mm, index):
            continue
        point(v.self, MM_RELEASE << 8 | OP_FIELD_WRITE, slot, ACC_RMW)
        if cas64(slot, entry, entry | PTE_QUIET):
            qi_dev_tlb_inv(v, v.devices[dev].rid, pasid, 0, 0)
            any_bound = True
    if any_bound:
        qi_wait(v, 0, MM_RELEASE)


cdef void mm_invalidate_secondary_tlbs(view *v, mm_struct *mm, uint64_t start, uint64_t end) noexcept nogil:
    """After a change of mappings (caller holds the mmap write lock): devices drop what they keep of [start, end)."""
    cdef uint32_t pasid = ld32_acq(&mm.pasid), dev, index = mm_index_of(v, mm)
    cdef bint any_bound = False
    if pasid == 0 or pasid >= v.cfg.max_pasids:
        return
    for dev in range(v.cfg.devices):
        if entry_is(ld64_acq(&pasid_table(v, dev)[pasid]), mm, index):
            qi_dev_tlb_inv(v, v.devices[dev].rid, pasid, start, (end - start) >> 12)
            any_bound = True
    if any_bound:
        qi_wait(v, 0, QI_WAIT)


cdef int attach_pasid(view *v, uint32_t dev, mm_struct *mm, uint64_t handle_ref) noexcept nogil:
    """Caller holds group_lock. The first attachment puts the device on the IOPF queue (17fce9d2336d); then entry, then handle."""
    cdef device *d = &v.devices[dev]
    cdef int ret = 0
    if d.iopf_refcount == 0:
        ret = iopf_queue_add_device(v, dev)
        if ret != 0:
            return ret
    d.iopf_refcount += 1
    point(v.self, ATTACH_PASID << 8 | OP_FIELD_WRITE, &pasid_table(v, dev)[mm.pasid], ACC_WRITE)
    st64_rel(&pasid_table(v, dev)[mm.pasid], pasid_entry(mm_index_of(v, mm), mm.mm_id))
    st64_rel(&pasid_array(v, dev)[mm.pasid], handle_ref)
    return 0


cdef int mm_prepare(view *v, mm_struct *mm) noexcept nogil:
    """First bind of an mm: its PASID and its domain. Caller holds sva_lock. 0, -ENOSPC, -ENOMEM."""
    cdef sva_domain *domain
    cdef uint32_t pasid
    if mm.pasid == 0:
        pasid = pasid_alloc(v)
        if pasid == 0:
            return -28
        st32_rel(&mm.pasid, pasid)
    if mm.domain == 0:
        domain = <sva_domain *>pool_alloc(v.self, v.pools[POOL_DOMAIN], SVA_BIND)
        if domain == NULL:
            return -12
        mmgrab(v, mm)
        domain.mm = pool_ref(v.pools[POOL_MM], &mm.hdr)
        mm.domain = pool_ref(v.pools[POOL_DOMAIN], &domain.hdr)
    return 0


cdef void domain_put(view *v, mm_struct *mm, sva_domain *domain) noexcept nogil:
    """Caller holds sva_lock. The domain's hold of the structure goes with its last user."""
    if domain.users > 1:
        domain.users -= 1
        return
    mm.domain = 0
    pool_free(v.self, v.pools[POOL_DOMAIN], &domain.hdr, SVA_UNBIND)
    sva_mmdrop(v, mm)


cdef int bind_locked(view *v, uint32_t dev, mm_struct *mm, uint64_t *handle_out) noexcept nogil:
    cdef pool *handles = v.pools[POOL_HANDLE]
    cdef attach_handle *handle
    cdef sva_domain *domain
    cdef uint64_t ref
    cdef int ret = mm_prepare(v, mm)
    if ret != 0:
        return ret
    ref = ld64_acq(&pasid_array(v, dev)[mm.pasid])
    if ref != 0:
        handle = <attach_handle *>pool_deref(v.self, handles, ref, SVA_BIND)
        if handle == NULL or handle.mm != pool_ref(v.pools[POOL_MM], &mm.hdr):
            domain = <sva_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], mm.domain, SVA_BIND)
            if domain != NULL and domain.users == 0:
                domain_put(v, mm, domain)
            return -16
        handle.users += 1
        handle_out[0] = ref
        return 0
    domain = <sva_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], mm.domain, SVA_BIND)
    if domain == NULL:
        return -22
    domain.users += 1
    handle = <attach_handle *>pool_alloc(v.self, handles, SVA_BIND)
    if handle == NULL:
        domain_put(v, mm, domain)
        return -12
    handle.domain = mm.domain
    handle.mm = domain.mm
    handle.device = dev
    handle.pasid = mm.pasid
    handle.users = 1
    ref = pool_ref(handles, &handle.hdr)
    mutex_lock(v.self, &v.devices[dev].group_lock, ATTACH_PASID)
    ret = attach_pasid(v, dev, mm, ref)
    mutex_unlock(v.self, &v.devices[dev].group_lock, ATTACH_PASID)
    if ret != 0:
        pool_free(v.self, handles, &handle.hdr, SVA_BIND)
        domain_put(v, mm, domain)
        return ret
    xadd64_rlx(&v.devices[dev].kern.binds, 1)
    note_event(v, crew_ticks(v.crew), SVA_BIND, mm.pasid, <uint64_t>dev << 32)
    handle_out[0] = ref
    return 0


cdef int iommu_sva_bind_device(view *v, uint32_t dev, mm_struct *mm, uint64_t *handle_out) noexcept nogil:
    """Shares the address space with the device: 0 and the handle; -ENODEV (no such device, or gone), -EBUSY, -ENOSPC, -ENOMEM.

    A second bind of the same (device, mm) shares the handle and counts.
    """
    cdef int ret = -19
    mutex_lock(v.self, &v.board.sva_lock, SVA_BIND)
    if dev < v.cfg.devices and v.devices[dev].registered and not v.devices[dev].removing:
        ret = bind_locked(v, dev, mm, handle_out)
    mutex_unlock(v.self, &v.board.sva_lock, SVA_BIND)
    return ret


cdef void stop_pasid(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """The device driver's part of unbind: the function stops using the PASID and says when it has (PCIe, stop of a PASID).

    Caller holds group_lock, so one stop is under way per function. A function that is gone has stopped.
    """
    cdef device *d = &v.devices[dev]
    cdef uint32_t sequence = d.stop_request + 1, key
    cdef waiter w
    d.stop_pasid = pasid
    d.stop_actor = v.self.slot
    point(v.self, DETACH_PASID << 8 | OP_REG_WRITE, &d.stop_request, ACC_WRITE)
    st32_rel(&d.stop_request, sequence)
    bell_ring(v.self, crew_actor(v.crew, d.actor), DETACH_PASID)
    waiter_reset(&w)
    while ld32_acq(&d.stop_done) != sequence and ld32_acq(&d.link_up):
        if waiter_spin(v.self, &w):
            continue
        key = ec_prepare(v.self, bell_of(v.self), DETACH_PASID)
        if ld32_acq(&d.stop_done) == sequence or not ld32_acq(&d.link_up):
            ec_cancel(v.self, bell_of(v.self), key)
            break
        ec_sleep(v.self, bell_of(v.self), key, STOP_POLL_NS, DETACH_PASID)


cdef void detach_pasid(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """Caller holds group_lock. Entry, device TLB, drain; then the handle disappears and the IOPF count drops (v6.16 order)."""
    cdef device *d = &v.devices[dev]
    point(v.self, DETACH_PASID << 8 | OP_FIELD_WRITE, &pasid_table(v, dev)[pasid], ACC_WRITE)
    st64_rel(&pasid_table(v, dev)[pasid], 0)
    qi_flush_dev_iotlb(v, d.rid, pasid, False)
    intel_iommu_drain_pasid_prq(v, dev, pasid)
    st64_rel(&pasid_array(v, dev)[pasid], 0)
    d.iopf_refcount -= 1
    if d.iopf_refcount == 0:
        iopf_queue_remove_device(v, dev)


cdef int iommu_sva_unbind_device(view *v, uint64_t handle_ref) noexcept nogil:
    """Ends one bind: 0, or -ENODEV when the handle is gone already (its device was removed). When it returns for the last binder no
    fault of (device, PASID) is outstanding anywhere."""
    cdef attach_handle *handle
    cdef sva_domain *domain
    cdef mm_struct *mm
    mutex_lock(v.self, &v.board.sva_lock, SVA_UNBIND)
    handle = <attach_handle *>pool_try(v.pools[POOL_HANDLE], handle_ref)
    if handle == NULL:
        mutex_unlock(v.self, &v.board.sva_lock, SVA_UNBIND)
        return -19
    handle.users -= 1
    if handle.users == 0:
        mutex_lock(v.self, &v.devices[handle.device].group_lock, DETACH_PASID)
        stop_pasid(v, handle.device, handle.pasid)
        detach_pasid(v, handle.device, handle.pasid)
        mutex_unlock(v.self, &v.devices[handle.device].group_lock, DETACH_PASID)
        xadd64_rlx(&v.devices[handle.device].kern.unbinds, 1)
        note_event(v, crew_ticks(v.crew), SVA_UNBIND, handle.pasid, <uint64_t>handle.device << 32)
        domain = <sva_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], handle.domain, SVA_UNBIND)
        mm = <mm_struct *>pool_deref(v.self, v.pools[POOL_MM], handle.mm, SVA_UNBIND)
        if domain != NULL and mm != NULL:
            domain_put(v, mm, domain)
        pool_free(v.self, v.pools[POOL_HANDLE], &handle.hdr, SVA_UNBIND)
    mutex_unlock(v.self, &v.board.sva_lock, SVA_UNBIND)
    return 0
