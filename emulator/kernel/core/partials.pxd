# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Partial faults: copies of non-last requests that wait for their last one.

``fault_param.partial`` is changed under ``fault_param.lock``: the IRQ thread adds, the group of a last request takes, and overflow,
removal and (gunthorpe) a change of translation free. Matching is by group index alone, as in Linux; with OPTION_GROUP_LISTS there
is a list per index.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.pool cimport listhead
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.fault cimport iommu_fault
from iopf.emulator.board.objects cimport fault_param, iopf_group

cdef int report_partial_fault(view *v, fault_param *param, iommu_fault *fault) noexcept nogil
cdef listhead *partial_list(view *v, fault_param *param, uint32_t prgi) noexcept nogil
cdef void collect_partials(view *v, fault_param *param, iopf_group *group) noexcept nogil
cdef uint32_t free_partials(view *v, fault_param *param, uint32_t prgi, uint32_t pasid1, uint32_t fate, uint32_t site) noexcept nogil

cdef enum:
    ALL_GROUPS = 0xFFFFFFFF      # for free_partials
