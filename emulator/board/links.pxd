# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The links between a device and its IOMMU: what goes up, what comes down, and how much of it has room."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.link cimport LINK_HEADER_BYTES
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport OFF_DOWNLINKS, OFF_UPLINKS
from iopf.emulator.spec.pci cimport PRGI_COUNT

cdef enum:
    DOWN_SLOTS = 1024        # responses and invalidations to one device: 512 groups and as many invalidations
    UP_SLOTS = 1024          # requests of one device on their way

cdef enum UpKind:
    UP_REQUEST = 1
    UP_MARKER = 2
    UP_INVALIDATED = 3

cdef enum DownKind:
    DOWN_RESPONSE = 1
    DOWN_INVALIDATE = 2
    DOWN_EARLY = 3           # of one request with private data

# A message is four words. Word 0 is packed; the others:
#     up     1 the Page Request message (pci.pxd), 2 uid, 3 ticks when it was sent
#     down   1 answered by the hardware itself, 2 ticks when the command was submitted (DOWN_EARLY: uid), 3 ticks when it was sent
#            DOWN_INVALIDATE: 1 page address | pages, 0 for all
cdef struct up_word:
    uint32_t kind                # enum UpKind
    uint32_t pasid
    bint pasid_present
    bint execute
    bint privileged
    bint private_data

cdef struct down_word:
    uint32_t kind                # enum DownKind
    uint32_t code                # of a response, as in PCIe
    uint32_t prgi
    uint32_t pasid
    bint pasid_present

cdef inline uint64_t pack_up(uint32_t kind, uint32_t pasid, bint pasid_present, bint execute, bint privileged,
                             bint private_data) noexcept nogil:
    return (kind | <uint64_t>pasid_present << 8 | <uint64_t>execute << 9 | <uint64_t>privileged << 10 | <uint64_t>private_data << 11
            | <uint64_t>(pasid & 0xFFFFF) << 32)

cdef inline up_word unpack_up(uint64_t word) noexcept nogil:
    cdef up_word up
    up.kind = <uint32_t>word & 0xFF
    up.pasid = <uint32_t>(word >> 32) & 0xFFFFF
    up.pasid_present = (word >> 8) & 1
    up.execute = (word >> 9) & 1
    up.privileged = (word >> 10) & 1
    up.private_data = (word >> 11) & 1
    return up

cdef inline uint64_t pack_down(uint32_t kind, uint32_t code, uint32_t prgi, uint32_t pasid, bint pasid_present) noexcept nogil:
    return (kind | <uint64_t>(code & 15) << 8 | <uint64_t>pasid_present << 12 | <uint64_t>(prgi & (PRGI_COUNT - 1)) << 16
            | <uint64_t>(pasid & 0xFFFFF) << 32)

cdef inline down_word unpack_down(uint64_t word) noexcept nogil:
    cdef down_word down
    down.kind = <uint32_t>word & 0xFF
    down.code = <uint32_t>(word >> 8) & 15
    down.prgi = <uint32_t>(word >> 16) & (PRGI_COUNT - 1)
    down.pasid = <uint32_t>(word >> 32) & 0xFFFFF
    down.pasid_present = (word >> 12) & 1
    return down

cdef inline char *uplink(view *v, uint32_t dev) noexcept nogil:
    return view_region(v, OFF_UPLINKS) + <uint64_t>dev * (LINK_HEADER_BYTES + UP_SLOTS * 64)

cdef inline char *downlink(view *v, uint32_t dev) noexcept nogil:
    return view_region(v, OFF_DOWNLINKS) + <uint64_t>dev * (LINK_HEADER_BYTES + DOWN_SLOTS * 64)
