# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Ownership of the ends of a channel.

A claim is one word: the process id in the low bits, and above it the start time of that process, because ids are reused. 0 is free. A
new owner swaps its claim in over 0, over the claim of a dead process, or over the claim of the parent that it replaces. Of several
concurrent attempts, one compare-and-swap succeeds.

``fork_count`` is private to the process: it changes in a forked child, whose copies of indices are then stale.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    CLAIM_PID_BITS = 22        # Linux bounds process ids by 2**22; the start time is above them

cdef uint32_t fork_count

cdef inline int claim_pid(uint64_t word) noexcept nogil:
    return <int>(word & ((1 << CLAIM_PID_BITS) - 1))

cdef uint64_t claim_take(uint64_t *place, uint64_t before, int *owner) except? 0
cdef void claim_drop(uint64_t *place, uint64_t word) noexcept
