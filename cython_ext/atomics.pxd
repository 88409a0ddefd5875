# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Declarations of ``atomic.h``, which explains the suffixes for memory ordering."""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "iopf/cython_ext/atomic.h" nogil:
    uint32_t ld32_rlx(const uint32_t *p)
    uint32_t ld32_acq(const uint32_t *p)
    void st32_rlx(uint32_t *p, uint32_t v)
    void st32_rel(uint32_t *p, uint32_t v)
    uint32_t xadd32(uint32_t *p, uint32_t v)
    uint32_t xadd32_rlx(uint32_t *p, uint32_t v)
    uint32_t or_32(uint32_t *p, uint32_t v)
    uint32_t and_32(uint32_t *p, uint32_t v)
    uint32_t xchg32(uint32_t *p, uint32_t v)
    int cas32(uint32_t *p, uint32_t want, uint32_t v)

    uint64_t ld64_rlx(const uint64_t *p)
    uint64_t ld64_acq(const uint64_t *p)
    void st64_rlx(uint64_t *p, uint64_t v)
    void st64_rel(uint64_t *p, uint64_t v)
    uint64_t xadd64(uint64_t *p, uint64_t v)
    uint64_t xadd64_rlx(uint64_t *p, uint64_t v)
    uint64_t or_64(uint64_t *p, uint64_t v)
    uint64_t and_64(uint64_t *p, uint64_t v)
    uint64_t xchg64(uint64_t *p, uint64_t v)
    int cas64(uint64_t *p, uint64_t want, uint64_t v)

    void fence()
    void cpu_pause()
    uint64_t clock_ns()
    uint64_t cycle_counter()
    int futex_wait32(uint32_t *p, uint32_t want, uint64_t timeout_ns)
    int futex_wait32_unbounded(uint32_t *p, uint32_t want)
    int futex_wake32(uint32_t *p, int count)
    void nap_ns(uint64_t ns)
    int leading_zeros64(uint64_t v)
    int trailing_zeros64(uint64_t v)
    int bits_set64(uint64_t v)
    uint64_t xorshift64(uint64_t *s)
    bint iopf_likely(bint x)
    bint iopf_unlikely(bint x)
    int sched_yield()
