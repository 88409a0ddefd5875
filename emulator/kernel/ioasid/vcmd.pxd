# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The virtual command interface of a host: what stands behind the alloc and free functions of a custom allocator.

A vIOMMU asks its host for a PASID and gives it back (VT-d, virtual command capability and VCRSP). A backend is one host-wide number
space, so two vIOMMUs of one machine that reach the same backend get different numbers, and two backends give equal ones. Function
number ``variant << 8 | backend + 1``: two variants do the same and are different functions all the same.

    vcmd.*   every word: the holder of the IOASID lock. ``bits`` also by tests that play another guest, at rest.

Nothing here waits or takes a lock.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view

cdef bint vcmd_function(uint32_t fn) noexcept nogil
cdef uint32_t vcmd_alloc(view *v, uint32_t fn, uint32_t min, uint32_t max, uint64_t pdata, uint32_t *claim) noexcept nogil
cdef void vcmd_free(view *v, uint32_t fn, uint32_t id, uint64_t pdata) noexcept nogil
cdef void vcmd_clear(view *v, uint32_t fn, uint32_t id) noexcept nogil
