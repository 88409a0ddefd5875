# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The three lifetimes of a PASID. Rules: see ``pasid.pxd``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.ioasid cimport INVALID_IOASID
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.kernel.sva.sva_lib cimport iommu_sva_alloc_pasid, iommu_sva_free_pasid
from iopf.emulator.kernel.sva.sva_mm cimport pasid_alloc, pasid_free
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport ENOSPC, EOVERFLOW


cdef int pasid_get_by_bond(view *v, uint32_t dev, mm_struct *mm) noexcept nogil:
    """0, or -EOVERFLOW (the mm has one outside the device's range), -ENOMEM, -EINVAL, -ENOSPC."""
    cdef int error = 0
    if iommu_sva_alloc_pasid(v, mm, 1, v.devices[dev].max_pasids - 1, &error) == INVALID_IOASID or error != 0:
        return error if error != 0 else ENOSPC
    return 0


cdef int pasid_get_once(view *v, uint32_t dev, mm_struct *mm) noexcept nogil:
    """The first bond of the mm takes the number, the others find it."""
    if mm.pasid == 0:
        return pasid_get_by_bond(v, dev, mm)
    return EOVERFLOW if mm.pasid >= v.devices[dev].max_pasids else 0


cdef int pasid_get_from_bitmap(view *v, uint32_t dev, mm_struct *mm) noexcept nogil:
    """0, -ENOSPC, -EOVERFLOW."""
    cdef uint32_t pasid
    if mm.pasid != 0:
        return EOVERFLOW if mm.pasid >= v.devices[dev].max_pasids else 0
    pasid = pasid_alloc(v, v.devices[dev].max_pasids)
    if pasid == 0:
        return ENOSPC
    write32(v.self, &mm.pasid, pasid, SVA_BIND)
    return 0


cdef void pasid_put_by_bond(view *v, mm_struct *mm) noexcept nogil:
    iommu_sva_free_pasid(v, mm)


cdef void pasid_keep(view *v, mm_struct *mm) noexcept nogil:
    """The number stays with the mm."""


cdef void pasid_end_by_bond(view *v, mm_struct *mm) noexcept nogil:
    """The last bond has freed the number."""


cdef void pasid_end_once(view *v, mm_struct *mm) noexcept nogil:
    iommu_sva_free_pasid(v, mm)


cdef void pasid_end_in_bitmap(view *v, mm_struct *mm) noexcept nogil:
    pasid_free(v, 0 if defect(v, DEFECT_LOAD_PASID_CLEARS) else mm.pasid)
