# cython: language_level=3, cdivision=True
"""Defects: historic bugs, put back on purpose at the place where the code of their time differed (spec/kernel.md, section 4).

A defect is a bit of the board's configuration, off unless a scenario names it. Its story, its program and the oracle that sees it
stand in ``emulator/sched/catalogue``.
"""

from libc.stdint cimport uint32_t

from cython_ext.atomics cimport iopf_unlikely
from emulator.spec.board cimport view

cpdef enum Defect:
    DEFECT_FLUSH_HOLDS_LOCK_OF_HWQUEUE = 0
    DEFECT_DISCARD_FREES_LINKED = 1
    DEFECT_PARTIAL_STUCK_AFTER_GROUP_ENOMEM = 2
    DEFECT_MM_WITHOUT_GET = 3
    DEFECT_REPORT_MISSING_RETURN = 4
    DEFECT_BAD_SETUP_SILENT = 5
    DEFECT_REMOVE_LEAKS_GROUPS = 6
    DEFECT_REMOVE_BEFORE_DRAIN = 7
    DEFECT_REPORT_VS_REMOVE_PARAM = 8
    DEFECT_NO_DRAIN_BEFORE_5_8 = 9
    DEFECT_PASID_MUTEX_ABBA = 10
    DEFECT_SHARED_COMPLETION_LOST_WAKE = 11
    DEFECT_PASID_FREED_TOO_EARLY = 12
    DEFECT_PASID_REF_LEAK = 13
    DEFECT_HANDLE_SHARING_LOST = 14
    DEFECT_REPLACE_AUTO_RESPONDS_NEW_HWPT = 15
    DEFECT_GROUP_MUTEX_VS_FLUSH = 16
    DEFECT_DISCARD_PARTIAL_UNLOCKED = 17
    DEFECT_PRO_CLEARED_UNCONDITIONALLY = 18
    DEFECT_OVERFLOW_KEEPS_PARTIALS = 19
    DEFECT_RING_MASK_HALF_DESCRIPTOR = 20
    DEFECT_DEVICE_RELEASE_VS_REPORT = 21
    DEFECT_RID_FAULTS_NOT_DRAINED = 22
    DEFECT_MM_RELEASE_FLUSH_SELF_DEADLOCK = 23
    DEFECT_BUSY_FLAG_TWO_FLUSHERS = 24
    DEFECT_UNBIND_UAF_IOMMU_MM = 25
    DEFECT_REMOVE_FREES_OWNED_GROUP = 26
    DEFECT_DOMAIN_LIFETIME_IN_HANDLER = 27
    DEFECT_DRAIN_MISSES_NEW_REQUESTS_AND_OVERFLOW = 28
    DEFECT_RESPONSE_FOR_NONLAST_BAD = 29
    DEFECT_REQUESTER_ID_UNSET = 30
    DEFECT_IOPF_DISABLED_BEFORE_SVA = 31
    DEFECT_WRONG_SID_RESUME = 32
    DEFECT_LOAD_PASID_CLEARS = 33
    DEFECT_SMMU_ASID_MM_UAF = 34
    DEFECT_DISCARD_DEV_PASID_BREAK = 35
    DEFECTS = 36

cdef inline bint defect(view *v, uint32_t which) noexcept nogil:
    """Whether the historic bug is switched on."""
    return iopf_unlikely((v.cfg.defects >> which) & 1)
