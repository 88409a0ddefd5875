# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Groups whose requests are sent in turn: the first of every group, then the second of every group, the last ones at the end.

So many groups are open at once that the partial faults of all of them wait in the kernel together. The batch is private to the
device process.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.device_procs.pri cimport function

cdef bint begin_batch(function *f, uint32_t pasid, uint64_t now_ns, uint64_t *next_ns) noexcept nogil
cdef bint send_batch(function *f) noexcept nogil
