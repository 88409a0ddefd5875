# cython: language_level=3
"""Which process an end of a channel belongs to.

A claim is one word: the process id, and above it the start time of that process, because an id alone may be given to another
process later. 0 is free. Whoever becomes an end swaps its own claim in, over 0, over the claim of a process that runs no more, or
over the claim of the parent that it goes on for. Several processes may try at once; one compare-and-swap succeeds.

``fork_count`` is this process's own: it changes in a forked child, which then knows that its copies of indices are stale.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    CLAIM_PID_BITS = 22        # Linux bounds process ids by 2**22; the start time stands above them

cdef uint32_t fork_count

cdef inline int claim_pid(uint64_t word) noexcept nogil:
    return <int>(word & ((1 << CLAIM_PID_BITS) - 1))

cdef uint64_t claim_take(uint64_t *place, uint64_t before, int *owner) except? 0
cdef void claim_drop(uint64_t *place, uint64_t word) noexcept
