# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Intel VT-d: the records of the page request queue and of the invalidation queue (spec rev 5.10, 7.4 to 7.11).

Page request descriptor, 256 bits. qw0: 7:0 type 1, 8 PASID present, 31:16 requester id, 51:32 PASID, 52 execute, 53 privileged.
qw1: 0 read, 1 write, 2 last in group, 11:3 group index, 63:12 address. qw2 and qw3 are reserved. In revisions 3.x qw0 bit 9 says that
qw2 and qw3 carry private data of the function, which its response (qw0 bit 5) echoes; a scenario with private data has such hardware.
Page group response, qw0: 3:0 and 11:9 type 9, 4 PASID present, 15:12 code, 31:16 requester, 51:32 PASID. qw1: 11:3 group index.
Invalidation wait, qw0: 3:0 type 5, 5 status write, 6 fence, 7 page-request drain, 63:32 status data.
The low 12 bits and the address of qw1 of a page request are those of the PCIe Page Request message as well.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.spec.pci cimport *

cdef enum Vtd:
    PRQ_RECORD_BYTES = 32
    QI_RECORD_BYTES = 32
    PAGE_REQ_TYPE = 1
    QI_DEV_TLB_INV = 3
    QI_INV_WAIT = 5
    QI_PAGE_GRP_RESP = 9
    PRS_PPR = 1
    PRS_PRO = 2
    PECTL_IP = 2
    WAIT_SW = 1 << 5
    WAIT_FN = 1 << 6
    WAIT_PD = 1 << 7
    QI_RESP_FAILURE = 2          # Linux: IOMMU_PAGE_RESP_FAILURE as it is; PCIe has 15

cdef inline uint64_t prq_qw0(uint32_t rid, uint32_t pasid, bint pasid_present, bint execute, bint privileged) noexcept nogil:
    return (PAGE_REQ_TYPE | <uint64_t>pasid_present << 8 | <uint64_t>(rid & 0xFFFF) << 16
            | (<uint64_t>(pasid & 0xFFFFF) << 32 if pasid_present else 0)
            | <uint64_t>(execute and pasid_present) << 52 | <uint64_t>(privileged and pasid_present) << 53)

cdef inline uint32_t prq_rid(uint64_t qw0) noexcept nogil:
    return <uint32_t>(qw0 >> 16) & 0xFFFF

cdef inline uint32_t prq_pasid(uint64_t qw0) noexcept nogil:
    return <uint32_t>(qw0 >> 32) & 0xFFFFF

cdef inline bint prq_pasid_present(uint64_t qw0) noexcept nogil:
    return (qw0 >> 8) & 1

cdef inline bint prq_execute(uint64_t qw0) noexcept nogil:
    return (qw0 >> 52) & 1

cdef inline bint prq_privileged(uint64_t qw0) noexcept nogil:
    return (qw0 >> 53) & 1

cdef inline bint prq_reserved_ok(uint64_t qw0, uint64_t qw2, uint64_t qw3) noexcept nogil:
    """Type, reserved bits 15:9 and 63:54, and the two reserved words."""
    return (qw0 & 0xFF) == PAGE_REQ_TYPE and (qw0 & (<uint64_t>0x7F << 9)) == 0 and qw0 >> 54 == 0 and (qw2 | qw3) == 0

cdef inline bint prq_private(uint64_t qw0) noexcept nogil:
    """Revisions 3.x: private data is present."""
    return (qw0 >> 9) & 1

cdef inline bint resp_private(uint64_t qw0) noexcept nogil:
    return (qw0 >> 5) & 1

cdef inline uint64_t resp_qw0(uint32_t rid, uint32_t pasid, bint pasid_present, uint32_t code) noexcept nogil:
    return (QI_PAGE_GRP_RESP | <uint64_t>pasid_present << 4 | <uint64_t>(code & 15) << 12 | <uint64_t>(rid & 0xFFFF) << 16
            | (<uint64_t>(pasid & 0xFFFFF) << 32 if pasid_present else 0))

cdef inline uint64_t resp_qw1(uint32_t prgi, bint last) noexcept nogil:
    return <uint64_t>last << 2 | <uint64_t>(prgi & 511) << 3

cdef inline uint32_t qi_type(uint64_t qw0) noexcept nogil:
    return <uint32_t>(qw0 & 15) | (<uint32_t>(qw0 >> 9) & 7) << 4

cdef inline bint address_canonical(uint64_t address) noexcept nogil:
    """57-bit canonical, as on a processor with five levels of page tables: bits 63:56 all equal."""
    return address >> 56 == 0 or address >> 56 == 0xFF
