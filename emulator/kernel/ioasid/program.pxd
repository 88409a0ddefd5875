# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The calls of the IOASID framework as operations of a driver's program. Rules: see ``ioasid.pxd``.

Functions of allocators are those of the hosts (``vcmd.pxd``): function number ``variant << 8 | host + 1`` for alloc and free.
"""

from libc.stdint cimport int64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.spec.program cimport prog_op

cdef int64_t op_ioasid_register(view *v, prog_op *op) noexcept nogil
cdef int64_t op_ioasid_unregister(view *v, prog_op *op) noexcept nogil
cdef int64_t op_ioasid_alloc(view *v, prog_op *op) noexcept nogil
cdef int64_t op_ioasid_find(view *v, prog_op *op) noexcept nogil
cdef int64_t op_ioasid_set(view *v, prog_op *op) noexcept nogil
cdef int64_t op_ioasid_free(view *v, prog_op *op) noexcept nogil
cdef int64_t op_ioasid_fail(view *v, prog_op *op) noexcept nogil
