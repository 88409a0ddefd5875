# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Domains: what a (device, PASID) can be attached to.

Kinds: blocking (no table entry, so the hardware refuses), identity (nothing ever faults, hardware refuses requests), paging (a table, no
fault handler), fault (a table, faults go to a fault object of user space), SVA. ``domain.users`` is written under sva_lock: one user
for each handle. ``domain.pending`` counts the groups that refer to it (gunthorpe), atomically; freeing waits for it, or leaves the
domain to ``domain_reap`` while user space holds groups.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport add32
from iopf.cython_ext.pool cimport pool_try
from iopf.cython_ext.wait cimport ec_notify
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_DOMAIN
from iopf.emulator.board.objects cimport iommu_domain, mm_struct
from iopf.emulator.spec.program cimport DOMAIN_FAULT, DOMAIN_SVA

cdef iommu_domain *domain_alloc(view *v, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil
cdef void reap_locked(view *v) noexcept nogil
cdef void domain_reap(view *v) noexcept nogil
cdef void domain_free(view *v, iommu_domain *domain) noexcept nogil
cdef void domain_put(view *v, iommu_domain *domain) noexcept nogil

cdef inline bint domain_takes_faults(iommu_domain *domain) noexcept nogil:
    return domain.kind == DOMAIN_SVA or domain.kind == DOMAIN_FAULT

cdef inline iommu_domain *domain_of(view *v, uint64_t ref, uint32_t site) noexcept nogil:
    return <iommu_domain *>pool_try(v.self, v.pools[POOL_DOMAIN], ref, site)

cdef inline void domain_unpend(view *v, iommu_domain *domain, uint32_t site) noexcept nogil:
    """One group fewer refers to the domain; the last one wakes the process that frees it."""
    if add32(v.self, &domain.pending, <uint32_t>-1, site) == 1:  # partner: the acquire load of none_pending
        ec_notify(v.self, &v.board.domain_bell, 0x7FFFFFFF, site)
