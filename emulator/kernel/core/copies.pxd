# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""v5.13 to v6.8: the copy of a last request waits for its response, ``iommu_page_response`` matches the two by group index.

The first copy on ``fault_param.faults`` with the group index answers (and with the PASID, when the response has one).
The list is searched and changed under fault_param.lock, across the driver's command. A response for which nothing is
pending is dropped with -EINVAL; its requests are never answered then.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport fault_param, iopf_fault, iopf_group
from iopf.emulator.spec.fault cimport iommu_fault

cdef iopf_fault *copy_pending(view *v, fault_param *param, iommu_fault *fault) noexcept nogil
cdef void respond_by_copy(view *v, iopf_group *group, uint32_t code) noexcept nogil
cdef int iommu_page_response_for(view *v, uint32_t dev, uint32_t pasid, bint pasid_valid, uint32_t prgi, uint32_t code,
                                 iopf_group *group) noexcept nogil
