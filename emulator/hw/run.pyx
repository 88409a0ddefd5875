# cython: language_level=3
"""Entry of the IOMMU process."""

from libc.stdint cimport uint32_t

from emulator.hw.vtd cimport iommu_main
from emulator.spec.board cimport PHASE_PROBING
from emulator.spec.process cimport Process


def run_iommu(Process process not None, uint32_t unit) -> int:
    """Runs until the machine ends; 0, or a negative errno."""
    cdef int ret
    process.ready(PHASE_PROBING)
    with nogil:
        ret = iommu_main(&process.v, unit)
    return ret
