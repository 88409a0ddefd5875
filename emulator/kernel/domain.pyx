# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Attaching, replacing and detaching domains. Slots, locks and the atomic replace stand in ``domain.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.mutex cimport *
from cython_ext.pool cimport *
from cython_ext.wait cimport *
from emulator.kernel.eventq cimport fault_object_get, fault_object_put, iommufd_auto_response_faults
from emulator.kernel.fault_param cimport iopf_get_dev_fault_param, iopf_put_dev_fault_param
from emulator.kernel.iopf cimport acknowledge_pending
from emulator.kernel.iopf_queue cimport device_queue, iopf_queue_add_device, iopf_queue_remove_device
from emulator.kernel.drain cimport intel_iommu_drain_pasid_prq
from emulator.kernel.qi cimport qi_flush_dev_iotlb
from emulator.kernel.sva_mm cimport sva_mmdrop
from emulator.mm.mm cimport mm_index_of, mmgrab
from emulator.spec.board cimport *
from emulator.spec.program cimport *
from emulator.spec.sites cimport *
from emulator.spec.vtd cimport *

cdef enum:
    ENOENT = -2
    ENOMEM = -12
    EBUSY = -16
    ENODEV = -19
    EINVAL = -22
    ENOSPC = -28
    EOPNOTSUPP = -95
    STOP_POLL_NS = 100000000
    BUSY_NS = 50000


cdef attach_handle *iommu_attach_handle_get(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """The handle in a slot, or NULL. No reference: whoever frees it has drained before."""
    cdef uint64_t *slot
    cdef uint64_t ref
    if pasid >= v.cfg.max_pasids:
        return NULL
    slot = &pasid_array(v, dev)[pasid]
    point(v.self, FIND_FAULT_HANDLER << 8 | OP_FIELD_READ, slot, ACC_READ)
    ref = ld64_acq(slot)
    return <attach_handle *>pool_deref(v.self, v.pools[POOL_HANDLE], ref, FIND_FAULT_HANDLER) if ref else NULL


cdef attach_handle *find_fault_handler(view *v, uint32_t dev, fault_event *evt) noexcept nogil:
    """The handle whose domain takes the faults of this request, or NULL. A request without PASID looks at the RID's slot."""
    cdef attach_handle *handle
    cdef iommu_domain *domain
    if prq_pasid_present(evt.qw0) and prq_pasid(evt.qw0) == 0:
        return NULL
    handle = iommu_attach_handle_get(v, dev, prq_pasid(evt.qw0) if prq_pasid_present(evt.qw0) else 0)
    if handle == NULL:
        return NULL
    domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], handle.domain, FIND_FAULT_HANDLER)
    return handle if domain != NULL and domain_takes_faults(domain) else NULL


cdef iommu_domain *domain_alloc(view *v, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil:
    """A domain without users; it holds the structure of ``mm`` (mmgrab), not its users. NULL is -ENOMEM."""
    cdef iommu_domain *domain = <iommu_domain *>pool_alloc(v.self, v.pools[POOL_DOMAIN], SVA_BIND)
    if domain == NULL and v.board.domains_left != 0:
        reap_locked(v)
        domain = <iommu_domain *>pool_alloc(v.self, v.pools[POOL_DOMAIN], SVA_BIND)
    if domain == NULL:
        return NULL
    domain.kind = kind
    domain.fault_object = fault_object
    if mm != NULL:
        mmgrab(v, mm)
        domain.mm = pool_ref(v.pools[POOL_MM], &mm.hdr)
    if fault_object != 0:
        fault_object_get(v, fault_object - 1)
    return domain


cdef void wait_pending(view *v, iommu_domain *domain) noexcept nogil:
    """gunthorpe: the domain goes when no group refers to it any more. Workers never wait for whoever waits here."""
    cdef waiter w
    if v.cfg.generation != GEN_GUNTHORPE:
        return
    waiter_reset(&w)
    while ld32_acq(&domain.pending) != 0 and ld32_acq(&v.board.phase) < PHASE_ENDING:
        point(v.self, DOMAIN_FREE << 8 | OP_FIELD_READ, &domain.pending, ACC_WAIT)
        if not waiter_spin(v.self, &w):
            nap_ns(BUSY_NS)


cdef void domain_put(view *v, iommu_domain *domain) noexcept nogil:
    """Gives a user back; the last one frees the domain and its hold of the address space's structure. Caller holds sva_lock."""
    if domain.users > 1:
        domain.users -= 1
        return
    domain.users = 0
    if domain.fault_object != 0 and ld32_acq(&domain.pending) != 0:
        # gunthorpe: user space still holds groups of it; domain_reap frees it after they are gone
        st32_rel(&v.board.domains_left, v.board.domains_left + 1)
        return
    domain_free(v, domain)


cdef void domain_reap(view *v) noexcept nogil:
    """gunthorpe: frees the domains that nothing is attached to any more and whose last group user space has given back."""
    if ld32_acq(&v.board.domains_left) == 0:
        return
    mutex_lock(v.self, &v.board.sva_lock, DOMAIN_FREE)
    reap_locked(v)
    mutex_unlock(v.self, &v.board.sva_lock, DOMAIN_FREE)


cdef void reap_locked(view *v) noexcept nogil:
    """Caller holds sva_lock."""
    cdef pool *p = v.pools[POOL_DOMAIN]
    cdef iommu_domain *domain
    cdef uint32_t i
    for i in range(p.capacity):
        domain = <iommu_domain *>pool_slot(p, i)
        if (ld32_acq(&domain.hdr.state) == OBJ_LIVE and domain.kind == DOMAIN_FAULT and domain.users == 0
                and ld32_acq(&domain.pending) == 0):
            st32_rel(&v.board.domains_left, v.board.domains_left - 1)
            domain_free(v, domain)


cdef void domain_free(view *v, iommu_domain *domain) noexcept nogil:
    """Caller holds sva_lock; nobody uses the domain."""
    cdef mm_struct *mm
    wait_pending(v, domain)
    mm = <mm_struct *>pool_try(v.pools[POOL_MM], domain.mm)
    if mm != NULL and mm.domain == pool_ref(v.pools[POOL_DOMAIN], &domain.hdr):
        mm.domain = 0
    if domain.fault_object != 0:
        fault_object_put(v, domain.fault_object - 1)
    pool_free(v.self, v.pools[POOL_DOMAIN], &domain.hdr, SVA_UNBIND)
    if mm != NULL:
        sva_mmdrop(v, mm)


cdef uint64_t entry_for(view *v, iommu_domain *domain) noexcept nogil:
    """The PASID table entry of a domain: 0 (not present) unless it has a table."""
    cdef mm_struct *mm = <mm_struct *>pool_try(v.pools[POOL_MM], domain.mm)
    if mm == NULL or domain.kind == DOMAIN_BLOCKING or domain.kind == DOMAIN_IDENTITY:
        return 0
    return pasid_entry(mm_index_of(v, mm), mm.mm_id)


cdef void write_entry(view *v, uint32_t dev, uint32_t pasid, uint64_t entry, uint32_t site) noexcept nogil:
    point(v.self, site << 8 | OP_FIELD_WRITE, &pasid_table(v, dev)[pasid], ACC_WRITE)
    st64_rel(&pasid_table(v, dev)[pasid], entry)


cdef int iopf_get(view *v, uint32_t dev) noexcept nogil:
    """v7.2: the first fault-capable attachment puts the device on its queue. Before it only counts, and gunthorpe has no need."""
    cdef device *d = &v.devices[dev]
    cdef int ret = 0
    if v.cfg.generation == GEN_V7_2 and d.iopf_refcount == 0:
        ret = iopf_queue_add_device(v, device_queue(v, dev), dev)
    if ret == 0:
        d.iopf_refcount += 1
    return ret


cdef void iopf_put(view *v, uint32_t dev) noexcept nogil:
    cdef device *d = &v.devices[dev]
    d.iopf_refcount -= 1
    if v.cfg.generation == GEN_V7_2 and d.iopf_refcount == 0:
        iopf_queue_remove_device(v, device_queue(v, dev), dev)


cdef void store_handle(view *v, uint32_t dev, uint32_t pasid, uint64_t ref) noexcept nogil:
    """gunthorpe stores it under the lock that a report holds while it looks the domain up and counts it."""
    if v.cfg.generation == GEN_GUNTHORPE:
        mutex_lock(v.self, &v.devices[dev].param_lock, ATTACH_PASID)
        st64_rel(&pasid_array(v, dev)[pasid], ref)
        mutex_unlock(v.self, &v.devices[dev].param_lock, ATTACH_PASID)
        return
    point(v.self, ATTACH_PASID << 8 | OP_FIELD_WRITE, &pasid_array(v, dev)[pasid], ACC_WRITE)
    st64_rel(&pasid_array(v, dev)[pasid], ref)


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
    write_entry(v, dev, pasid, entry_for(v, domain), ATTACH_PASID)
    store_handle(v, dev, pasid, pool_ref(v.pools[POOL_HANDLE], &handle.hdr))
    return 0


cdef void light_flush(view *v, uint32_t dev, uint32_t pasid, uint64_t domain_ref) noexcept nogil:
    """gunthorpe: the groups of the old domain are acknowledged and marked. What still works on them is waited for by domain_put."""
    cdef fault_param *param = iopf_get_dev_fault_param(v, dev)
    if param == NULL:
        return
    acknowledge_pending(v, param, domain_ref, pasid + 1)
    iopf_put_dev_fault_param(v, param)


cdef void after_change(view *v, uint32_t dev, uint32_t pasid, attach_handle *old, iommu_domain *domain) noexcept nogil:
    """No fault may refer to the old handle when it is freed: drain, then what user space still holds. Caller holds group_lock.

    Also the handle of a domain that takes no faults is looked at, by whoever reports a request of its PASID."""
    qi_flush_dev_iotlb(v, unit_of(v, dev), v.devices[dev].rid, pasid, False)
    if v.cfg.generation == GEN_GUNTHORPE:
        light_flush(v, dev, pasid, pool_ref(v.pools[POOL_DOMAIN], &domain.hdr))
    elif ld32_acq(&v.devices[dev].pri_enabled):
        intel_iommu_drain_pasid_prq(v, dev, pasid)
    if domain.fault_object != 0 and v.cfg.generation != GEN_GUNTHORPE:
        iommufd_auto_response_faults(v, domain.fault_object - 1, pool_ref(v.pools[POOL_HANDLE], &old.hdr))


cdef void detach_locked(view *v, uint32_t dev, uint32_t pasid, attach_handle *handle, bint stop) noexcept nogil:
    """Entry, device TLB, drain; then the handle disappears and the IOPF count drops (v6.16 order). Caller holds group_lock."""
    cdef iommu_domain *domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], handle.domain, DETACH_PASID)
    if stop:
        stop_pasid(v, dev, pasid)
    if domain == NULL:
        return
    write_entry(v, dev, pasid, 0, DETACH_PASID)
    if v.cfg.generation == GEN_GUNTHORPE:
        store_handle(v, dev, pasid, 0)
        after_change(v, dev, pasid, handle, domain)
    else:
        after_change(v, dev, pasid, handle, domain)
        store_handle(v, dev, pasid, 0)
    if domain_takes_faults(domain):
        iopf_put(v, dev)


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


cdef int check_attach(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil:
    """-EOPNOTSUPP before v6.11, which brought attach handles; -ENODEV for a device that is not there, -EINVAL for what cannot be
    attached, -ENOENT for a fault object that is not; 0."""
    if v.cfg.generation < GEN_V6_11:
        return EOPNOTSUPP
    if dev >= v.cfg.devices or not v.devices[dev].registered or v.devices[dev].removing:
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
            st32_rel(&v.devices[dev].user_pasids[i], pasid + 1)
            return True
    return False


cdef void forget_user_pasid(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    cdef uint32_t i
    for i in range(8):
        if v.devices[dev].user_pasids[i] == pasid + 1:
            st32_rel(&v.devices[dev].user_pasids[i], 0)


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
    ret = attach_locked(v, dev, pasid, handle, domain)
    if ret != 0:
        pool_free(v.self, v.pools[POOL_HANDLE], &handle.hdr, REPLACE_PASID)
        return ret
    after_change(v, dev, pasid, old, before)
    if domain_takes_faults(before):
        iopf_put(v, dev)
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
        before = domain_of(v, old.domain)
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
    if v.cfg.generation < GEN_V6_11:
        return EOPNOTSUPP
    if dev >= v.cfg.devices or pasid >= v.cfg.max_pasids:
        return EINVAL
    mutex_lock(v.self, &v.board.sva_lock, DETACH_PASID)
    mutex_lock(v.self, &v.devices[dev].group_lock, DETACH_PASID)
    handle = iommu_attach_handle_get(v, dev, pasid)
    domain = domain_of(v, handle.domain) if handle != NULL else NULL
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
