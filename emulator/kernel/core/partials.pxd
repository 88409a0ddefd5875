# cython: language_level=3, cdivision=True
"""Partial faults: copies of non-last requests that wait for their last one (spec/kernel.md 1.2, 1.6).

``fault_param.partial`` is changed under ``fault_param.lock``: the IRQ thread adds, the group of a last request takes, and overflow,
removal and (gunthorpe) a change of translation free. Matching is by group index alone, as in Linux; with OPTION_GROUP_LISTS there
is a list per index. ``kern_fate`` writes the kernel's ledger, whose entries the device compares with those of the hardware.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.pool cimport listhead
from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport fault_event, fault_param, iopf_group

cdef void kern_fate(view *v, uint32_t dev, uint64_t qw1, uint64_t uid, uint32_t fate) noexcept nogil
cdef void respond_event(view *v, uint32_t dev, fault_event *evt, uint32_t code) noexcept nogil
cdef int report_partial_fault(view *v, fault_param *param, fault_event *evt) noexcept nogil
cdef listhead *partial_list(view *v, fault_param *param, uint32_t prgi) noexcept nogil
cdef void collect_partials(view *v, fault_param *param, iopf_group *group) noexcept nogil
cdef uint32_t free_partials(view *v, fault_param *param, uint32_t prgi, uint32_t pasid1, uint32_t fate, uint32_t site) noexcept nogil

cdef enum:
    ALL_GROUPS = 0xFFFFFFFF      # for free_partials
