# cython: language_level=3, cdivision=True
"""Shared virtual addressing: bind, unbind, PASIDs, and the release of an address space that is still bound.

Objects: a ``sva_domain`` per mm (holds the structure, not the users: an mm may die while bound), an ``attach_handle`` per
(device, mm) with
a count of binders. One PASID per mm, from one global bitmap, freed with the last holder of the structure.

    sva_lock > group_lock > {queue locks | qi_lock}; pasid_lock nests nothing.
    mm.pasid, mm.domain   written under sva_lock; ``pasid`` is published with release ordering
    pasid array, table    written under group_lock; read without it by the fault path and the hardware

mm release (spec/kernel.md 2.1) has three phases: bound; quiet abort when the last user goes (table entry marked, device TLBs
invalidated, no
flush of the work ring, since a worker may be the last user); unbound when the driver's file is released.
"""

from libc.stdint cimport uint32_t, uint64_t

from emulator.spec.board cimport *

cdef int iommu_sva_bind_device(view *v, uint32_t dev, mm_struct *mm, uint64_t *handle_out) noexcept nogil
cdef int iommu_sva_unbind_device(view *v, uint64_t handle_ref) noexcept nogil
cdef void sva_mmput(view *v, mm_struct *mm) noexcept nogil
cdef void sva_mmdrop(view *v, mm_struct *mm) noexcept nogil
cdef void mm_invalidate_secondary_tlbs(view *v, mm_struct *mm, uint64_t start, uint64_t end) noexcept nogil
cdef void stop_pasid(view *v, uint32_t dev, uint32_t pasid) noexcept nogil
