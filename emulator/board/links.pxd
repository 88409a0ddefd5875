# cython: language_level=3, cdivision=True
"""The links between a device and its IOMMU: what goes up, what comes down, and how much of it has room."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.link cimport LINK_HEADER_BYTES
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport OFF_DOWNLINKS, OFF_UPLINKS

cdef enum:
    DOWN_SLOTS = 1024        # responses and invalidations to one device: 512 groups and as many invalidations
    UP_SLOTS = 1024          # requests of one device on their way

cdef enum LinkKind:
    UP_REQUEST = 1
    UP_MARKER = 2
    UP_INVALIDATED = 3
    DOWN_RESPONSE = 1
    DOWN_INVALIDATE = 2
    DOWN_EARLY = 3           # of one request with private data; word 2 is its uid

cdef inline char *uplink(view *v, uint32_t dev) noexcept nogil:
    return view_region(v, OFF_UPLINKS) + <uint64_t>dev * (LINK_HEADER_BYTES + UP_SLOTS * 64)

cdef inline char *downlink(view *v, uint32_t dev) noexcept nogil:
    return view_region(v, OFF_DOWNLINKS) + <uint64_t>dev * (LINK_HEADER_BYTES + DOWN_SLOTS * 64)
