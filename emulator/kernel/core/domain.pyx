# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Domains: made, counted, freed. Kinds and counts: see ``domain.pxd``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.iommufd.eventq cimport fault_object_get, fault_object_put
from iopf.emulator.kernel.sva.sva_mm cimport sva_mmdrop
from iopf.emulator.mm.mm cimport mmgrab
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_DOMAIN, POOL_MM
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.objects cimport iommu_domain, mm_struct
from iopf.emulator.spec.program cimport *
from iopf.emulator.spec.roles cimport PHASE_ENDING
from iopf.emulator.spec.sites cimport *

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
        if not defect(v, DEFECT_SMMU_ASID_MM_UAF):
            mmgrab(v, mm)
        domain.mm = pool_ref(v.pools[POOL_MM], &mm.hdr)
    if fault_object != 0:
        fault_object_get(v, fault_object - 1)
    return domain


cdef struct pending_wait:
    view *v
    iommu_domain *domain


cdef uint64_t none_pending(void *arg) noexcept nogil:
    cdef pending_wait *p = <pending_wait *>arg
    return read32(p.v.self, &p.domain.pending, DOMAIN_FREE) == 0 or ld32_acq(&p.v.board.phase) >= PHASE_ENDING


cdef void wait_pending(view *v, iommu_domain *domain) noexcept nogil:
    """gunthorpe: the domain is freed when no group refers to it. Workers never wait for the process that waits here."""
    cdef pending_wait p
    if not flow_of(v).counts_domain:
        return
    p.v, p.domain = v, domain
    wait_until(v.self, &v.board.domain_bell, none_pending, &p, <uint64_t>-1, DOMAIN_FREE)


cdef void domain_put(view *v, iommu_domain *domain) noexcept nogil:
    """Gives a user back; the last one frees the domain and its hold of the address space's structure. Caller holds sva_lock."""
    if domain.users > 1:
        domain.users -= 1
        return
    domain.users = 0
    if domain.fault_object != 0 and read32(v.self, &domain.pending, DOMAIN_FREE) != 0:
        # gunthorpe: user space still holds groups of it; domain_reap frees it after they are gone
        write32(v.self, &v.board.domains_left, v.board.domains_left + 1, DOMAIN_FREE)
        return
    domain_free(v, domain)


cdef void domain_reap(view *v) noexcept nogil:
    """gunthorpe: frees the domains that nothing is attached to any more and whose last group user space has given back."""
    if read32(v.self, &v.board.domains_left, DOMAIN_FREE) == 0:
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
                and read32(v.self, &domain.pending, DOMAIN_FREE) == 0):
            st32_rel(&v.board.domains_left, v.board.domains_left - 1)
            domain_free(v, domain)


cdef void domain_free(view *v, iommu_domain *domain) noexcept nogil:
    """Caller holds sva_lock; the domain has no users."""
    cdef mm_struct *mm
    wait_pending(v, domain)
    mm = <mm_struct *>pool_try(v.self, v.pools[POOL_MM], domain.mm, DOMAIN_FREE)
    if mm != NULL and mm.domain == pool_ref(v.pools[POOL_DOMAIN], &domain.hdr):
        mm.domain = 0
    if domain.fault_object != 0:
        fault_object_put(v, domain.fault_object - 1)
    pool_free(v.self, v.pools[POOL_DOMAIN], &domain.hdr, SVA_UNBIND)
    if mm != NULL and not defect(v, DEFECT_SMMU_ASID_MM_UAF):
        sva_mmdrop(v, mm)
