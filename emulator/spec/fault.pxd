# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""``iommu_fault``: a page request as the kernel sees it, whatever the hardware (include/linux/iommu.h).

The driver of the IOMMU fills it from a record of its queue. Report, partials, groups, handlers, responses, SVA and delivery to user
space see nothing else. ``type`` to ``addr`` are Linux's fields; ``device``, ``uid`` and ``stamp`` are ours, for the account of requests.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef enum FaultType:
    IOMMU_FAULT_PAGE_REQ = 1     # the only type since v6.9

cdef enum FaultFlag:
    IOMMU_FAULT_PAGE_REQUEST_PASID_VALID = 1
    IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE = 2
    IOMMU_FAULT_PAGE_REQUEST_PRIV_DATA = 4       # until v6.8; the driver answers such requests itself, so the data is not kept here
    IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID = 8    # for other readers of the fault; the response path asks PASID_VALID

cdef enum FaultPerm:
    IOMMU_FAULT_PERM_READ = 1
    IOMMU_FAULT_PERM_WRITE = 2
    IOMMU_FAULT_PERM_EXEC = 4
    IOMMU_FAULT_PERM_PRIV = 8

cdef enum PageResponse:
    IOMMU_PAGE_RESP_SUCCESS = 0
    IOMMU_PAGE_RESP_INVALID = 1
    IOMMU_PAGE_RESP_FAILURE = 2

cdef extern from "iopf/emulator/spec/fault.h" nogil:
    cdef struct iommu_fault:
        uint32_t type            # enum FaultType; 4 bits
        uint32_t flags           # enum FaultFlag, or-ed; 4 bits
        uint32_t pasid           # 0 without PASID_VALID; 20 bits
        uint32_t grpid           # 16 bits
        uint32_t perm            # enum FaultPerm, or-ed; 4 bits
        uint32_t device          # index of the function that sent it; 16 bits
        uint64_t addr            # page address
        uint64_t uid             # NO_UID: injected by a driver
        uint64_t stamp           # bits 0..39 ticks when the IRQ thread read it, 40..63 generation of the PASID at the hardware

cdef inline bint fault_pasid_valid(const iommu_fault *fault) noexcept nogil:
    return (fault.flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID) != 0

cdef inline bint fault_last(const iommu_fault *fault) noexcept nogil:
    return (fault.flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE) != 0

cdef inline bint fault_same_pasid(const iommu_fault *a, const iommu_fault *b) noexcept nogil:
    return fault_pasid_valid(a) == fault_pasid_valid(b) and a.pasid == b.pasid

# iommu_fault.stamp: ticks modulo 2^40 and the low 24 bits of the address space's id.
cdef inline uint64_t stamp_of(uint64_t ticks, uint64_t mm_id) noexcept nogil:
    return (ticks & <uint64_t>0xFFFFFFFFFF) | (mm_id & 0xFFFFFF) << 40

cdef inline uint64_t stamp_age(uint64_t stamp, uint64_t now) noexcept nogil:
    """Ticks since the stamp, at most 2^40."""
    return (now - stamp) & <uint64_t>0xFFFFFFFFFF

cdef inline uint32_t stamp_generation(uint64_t stamp) noexcept nogil:
    return <uint32_t>(stamp >> 40)
