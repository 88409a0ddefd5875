# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The handle of ``ioasid.pyx``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.board.process cimport Process

cdef inline ioasid_ops allocator_ops(uint32_t ident, uint32_t alloc_fn, uint32_t free_fn, uint64_t pdata) noexcept nogil:
    cdef ioasid_ops ops
    ops.ident, ops.alloc_fn, ops.free_fn, ops.pdata = ident, alloc_fn, free_fn, pdata
    return ops

cdef class Ioasid:
    cdef readonly Process process
    cdef view *v
    cdef ioasid_state *st
    cdef uint64_t *_words(self, uint64_t offset, uint64_t count) except NULL
