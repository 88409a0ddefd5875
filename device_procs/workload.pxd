# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""What a device accesses: synthetic patterns over the pages of its tenant. Private to the device process; no shared word is touched.

A pattern yields groups of accesses: page numbers 0 .. pages - 1 of the tenant's synthetic mapping, turned into addresses by
``page_address``. The mapping
is a row of VMAs of ``vma_pages`` pages with one unmapped page between them, from ``SYNTH_BASE`` on; the planner of the
tenant's program uses
the same rule.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cpdef enum Pattern:
    PATTERN_REPLAY = 0
    PATTERN_SEQUENTIAL = 1
    PATTERN_STRIDED = 2
    PATTERN_ZIPF = 3
    PATTERN_CHASE = 4
    PATTERN_BURSTS = 5
    PATTERN_PROGRAM = 6

cpdef enum Synthetic:
    SYNTH_BASE = 0x100000000000
    SYNTH_OUTSIDE = 0x600000000000

cdef struct workload:
    uint32_t pattern
    uint32_t group_pages
    uint64_t groups              # 0: without end
    uint64_t pages               # working set
    uint64_t vma_pages
    uint64_t stride_pages
    uint64_t burst_groups
    uint64_t gap_ns
    double zipf_s
    uint32_t write_permille
    uint32_t exec_permille
    uint32_t invalid_permille
    uint32_t always              # request a page whether or not it is present
    uint32_t private_permille    # requests with private data
    uint32_t interleave          # groups whose requests are sent in turn
    uint64_t rng
    # position
    uint64_t made
    uint64_t cursor
    uint64_t not_before_ns

cdef inline uint64_t page_address(workload *w, uint64_t page) noexcept nogil:
    return SYNTH_BASE + (page // w.vma_pages * (w.vma_pages + 1) + page % w.vma_pages) * 4096

cdef uint32_t workload_next(workload *w, uint64_t now_ns, uint64_t *addresses, uint8_t *rwx) noexcept nogil
cdef bint workload_over(workload *w) noexcept nogil
