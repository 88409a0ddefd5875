# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The place where a victim waits for its tracer (``tests/support/tracing.py``): a trap only where it may be single-stepped."""

cdef extern from * nogil:
    """
    static inline void trap_here(void) {
    #if defined(__x86_64__)
        __asm__ __volatile__("int3" ::: "memory");
    #endif
    }
    """
    void trap_here()
