# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The generations: a row of functions and flags for each, and which kernel a process runs. Fields: see ``core/flow.pxd``.

A row begins as a copy of an older one and says what is new. A new generation is one more row, and the functions that are really new.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.kernel.core.attach cimport auto_respond, end_by_acknowledging, end_by_drain, leave_to_user
from iopf.emulator.kernel.core.copies cimport respond_by_copy
from iopf.emulator.kernel.core.flow cimport kernel_flow
from iopf.emulator.kernel.core.handle_group cimport mm_of_array, mm_of_domain, mm_of_handle, mm_of_pasid
from iopf.emulator.kernel.core.iommu_ops cimport iommu_ops
from iopf.emulator.kernel.core.queue cimport (flush_counted, flush_under_lock, remove_acknowledging, remove_answering, remove_leaving)
from iopf.emulator.kernel.core.report cimport report_by_copy, report_or_restart, report_to_domain, report_to_handle
from iopf.emulator.kernel.core.response cimport always, iopf_group_response, unless_marked, while_pending
from iopf.emulator.kernel.sva.pasid cimport *
from iopf.emulator.kernel.vtd.ops cimport vtd_ops
from iopf.emulator.spec.generations cimport *
from iopf.emulator.spec.errno cimport EINVAL

cdef enum:
    PROFILES = 1

cdef kernel_flow FLOWS[GENERATIONS]
cdef const iommu_ops *DRIVERS[PROFILES]   # by profile of the hardware

cdef kernel_flow *row


cdef kernel_flow *first(int oldest) noexcept:
    return &FLOWS[oldest]


cdef kernel_flow *like(int older, int newer) noexcept:
    FLOWS[newer] = FLOWS[older]
    return &FLOWS[newer]


row = first(GEN_V5_13)
row.report = report_by_copy
row.find_mm = mm_of_pasid
row.respond = respond_by_copy
row.may_respond = always
row.remove_device = remove_leaving
row.flush = flush_under_lock
row.end_faults = end_by_drain
row.auto_respond = auto_respond
row.pasid_get = pasid_get_by_bond
row.pasid_put = pasid_put_by_bond
row.pasid_end = pasid_end_by_bond
row.registers_handler = True
row.driver_answers = True
row.refuses_rid = True

row = like(GEN_V5_13, GEN_V5_18)
row.pasid_get = pasid_get_once
row.pasid_put = pasid_keep
row.pasid_end = pasid_end_once

row = like(GEN_V5_18, GEN_V6_2)
row.find_mm = mm_of_array
row.pasid_get = pasid_get_from_bitmap
row.pasid_end = pasid_end_in_bitmap
row.extra_dtlb_flush = True

row = like(GEN_V6_2, GEN_V6_9)
row.report = report_to_domain
row.find_mm = mm_of_domain
row.respond = iopf_group_response
row.may_respond = while_pending
row.remove_device = remove_answering
row.flush = flush_counted
row.registers_handler = False
row.driver_answers = False
row.release_domain = True

row = like(GEN_V6_9, GEN_V6_11)
row.report = report_to_handle
row.find_mm = mm_of_handle
row.attach_handles = True

row = like(GEN_V6_11, GEN_V6_13)
row.refuses_rid = False

row = like(GEN_V6_13, GEN_V6_14)
row.remove_frees = True

row = like(GEN_V6_14, GEN_V6_16)
row.enabled_by_attach = True
row.drains_by_attach = True

row = like(GEN_V6_16, GEN_V7_2)
row.may_respond = always
row.user_owns = True

row = like(GEN_V6_13, GEN_GUNTHORPE)
row.report = report_or_restart
row.find_mm = mm_of_domain
row.may_respond = unless_marked
row.remove_device = remove_acknowledging
row.end_faults = end_by_acknowledging
row.auto_respond = leave_to_user
row.release_domain = False
row.counts_domain = True
row.made_by_fault = True
row.acknowledges = True

DRIVERS[0] = vtd_ops()


cdef int kernel_attach(view *v) noexcept nogil:
    """Gives the process its kernel; 0, or -EINVAL when the board names a generation or a profile that this build does not have."""
    cdef uint32_t generation = v.cfg.generation, profile = v.cfg.profile
    if not 0 < generation < GENERATIONS or profile >= PROFILES:
        return EINVAL
    v.flow = &FLOWS[generation]
    v.ops = DRIVERS[profile]
    return 0
