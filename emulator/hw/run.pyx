# cython: language_level=3
"""The part of the IOMMU process."""

from libc.stdint cimport uint32_t

from emulator.hw.vtd cimport iommu_main, unit, unit_make
from emulator.spec.process cimport Process
from emulator.spec.roles cimport PHASE_PROBING


cdef int iommu_part(void *u, uint32_t index) noexcept nogil:
    return iommu_main(<unit *>u)


def prepare_iommu(Process process not None, uint32_t index) -> None:
    """Raises MemoryError."""
    cdef unit *u = unit_make(&process.v, index)
    if u == NULL:
        raise MemoryError("no memory for the IOMMU's own state")
    process.cast(iommu_part, u, index, PHASE_PROBING)
