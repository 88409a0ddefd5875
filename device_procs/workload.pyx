# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The synthetic patterns. Addresses and limits are explained in ``workload.pxd``."""

from libc.math cimport exp, log, pow
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from iopf.cython_ext.atomics cimport xorshift64


cdef double uniform(workload *w) noexcept nogil:
    """In (0, 1]."""
    return <double>((xorshift64(&w.rng) >> 11) + 1) / 9007199254740992.0


cdef uint64_t zipf_page(workload *w) noexcept nogil:
    """Rank by the continuous approximation of Zipf's law (inverse of the integral of x^-s over 1 .. n), rank 0 the most frequent."""
    cdef double n = <double>w.pages, s = w.zipf_s, x
    if s == 1.0:
        x = exp(uniform(w) * log(n))
    else:
        x = pow((pow(n, 1.0 - s) - 1.0) * uniform(w) + 1.0, 1.0 / (1.0 - s))
    if x < 1.0:
        x = 1.0
    return (<uint64_t>x - 1) % w.pages


cdef uint64_t scatter(uint64_t page, uint64_t pages) noexcept nogil:
    """Spreads ranks over the working set, so that popular pages are not neighbours."""
    return (page * <uint64_t>0x9E3779B97F4A7C15 >> 17) % pages


cdef bint workload_over(workload *w) noexcept nogil:
    return w.groups != 0 and w.made >= w.groups


cdef uint8_t access_kind(workload *w) noexcept nogil:
    cdef uint64_t r = xorshift64(&w.rng) % 1000
    if r < w.exec_permille:
        return 5
    return 3 if r < w.exec_permille + w.write_permille else 1


cdef uint32_t workload_next(workload *w, uint64_t now_ns, uint64_t *addresses, uint8_t *rwx) noexcept nogil:
    """Fills one group of accesses (1 .. 64); 0 when none is due now (look at ``not_before_ns``) or ever."""
    cdef uint32_t n = w.group_pages, i
    cdef uint64_t page
    if workload_over(w) or now_ns < w.not_before_ns:
        return 0
    if w.pattern == PATTERN_SEQUENTIAL:
        page = w.cursor
        w.cursor = (w.cursor + n) % w.pages
    elif w.pattern == PATTERN_STRIDED:
        page = w.cursor
        w.cursor = (w.cursor + w.stride_pages * n) % w.pages
    elif w.pattern == PATTERN_ZIPF:
        page = scatter(zipf_page(w), w.pages)
    elif w.pattern == PATTERN_CHASE:
        n = 1
        w.cursor = (w.cursor * <uint64_t>6364136223846793005 + <uint64_t>1442695040888963407)
        page = (w.cursor >> 20) % w.pages
    else:
        page = xorshift64(&w.rng) % w.pages
    for i in range(n):
        addresses[i] = page_address(w, page)
        rwx[i] = access_kind(w)
        page = (page + (w.stride_pages if w.pattern == PATTERN_STRIDED else 1)) % w.pages
    if w.invalid_permille and xorshift64(&w.rng) % 1000 < w.invalid_permille:
        addresses[n - 1] = <uint64_t>SYNTH_OUTSIDE + (xorshift64(&w.rng) & 0xFFFFF) * 4096
    w.made += 1
    if w.gap_ns and (w.pattern != PATTERN_BURSTS or w.made % w.burst_groups == 0):
        w.not_before_ns = now_ns + w.gap_ns
    return n
