# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""PCI Express: what a function and a root complex say to each other about page requests (base specification 6.0, 10.4).

A Page Request message, as the links carry it: 0 read, 1 write, 2 last in group, 11:3 group index, 63:12 address. VT-d's qw1 of a page
request descriptor has the same bits.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef enum Pci:
    PRI_READ = 1
    PRI_WRITE = 2
    PRI_LAST = 4
    RESP_SUCCESS = 0
    RESP_INVALID = 1
    RESP_FAILURE = 15
    PRGI_COUNT = 512
    RID_BASE = 0x100     # bus 1, device 0: requester ids of the emulated functions start here

cdef inline uint64_t pri_message(uint64_t address, uint32_t prgi, uint32_t lwr) noexcept nogil:
    return (address & ~<uint64_t>0xFFF) | <uint64_t>(prgi & (PRGI_COUNT - 1)) << 3 | (lwr & 7)

cdef inline uint32_t pri_prgi(uint64_t message) noexcept nogil:
    return <uint32_t>(message >> 3) & (PRGI_COUNT - 1)

cdef inline bint pri_last(uint64_t message) noexcept nogil:
    return (message >> 2) & 1

cdef inline uint32_t pri_rw(uint64_t message) noexcept nogil:
    return <uint32_t>message & 3

cdef inline uint64_t pri_address(uint64_t message) noexcept nogil:
    return message & ~<uint64_t>0xFFF

cdef inline bint pri_stop_marker(uint64_t message) noexcept nogil:
    """Last without read and write (10.4.1.2.1)."""
    return (message & 7) == PRI_LAST
