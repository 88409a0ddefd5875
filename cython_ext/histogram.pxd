# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Log-linear histograms: 32 linear steps per power of two, relative error at most 1/32.

One writer per histogram (its actor), so an addition is a plain increment; readers read each bin independently and merge
histograms by adding bins. Values 0..31 have a bin each; value v >= 32 with e = floor(log2 v) falls into bin
``(e - 4) * 32 + ((v >> (e - 5)) & 31)``. Values of 2^36 ns (68 s) and more share the last bin.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *

cdef enum:
    HIST_STEPS = 32
    HIST_BINS = 1024           # up to 2^36

cdef struct histogram:
    uint64_t count
    uint64_t total
    uint64_t max
    uint64_t min
    uint64_t pad[4]
    uint32_t bins[1024]

cdef inline uint32_t hist_bin(uint64_t v) noexcept nogil:
    cdef uint32_t e, i
    if v < HIST_STEPS:
        return <uint32_t>v
    e = 63 - <uint32_t>leading_zeros64(v)
    i = (e - 4) * HIST_STEPS + (<uint32_t>(v >> (e - 5)) & (HIST_STEPS - 1))
    return i if i < HIST_BINS else HIST_BINS - 1

cdef inline void hist_add(histogram *h, uint64_t v) noexcept nogil:
    cdef uint32_t i = hist_bin(v)
    st32_rlx(&h.bins[i], h.bins[i] + 1)
    if v > h.max:
        st64_rlx(&h.max, v)
    if h.count == 0 or v < h.min:
        st64_rlx(&h.min, v)
    st64_rlx(&h.total, h.total + v)
    st64_rlx(&h.count, h.count + 1)
