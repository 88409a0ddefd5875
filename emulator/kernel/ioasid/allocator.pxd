# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Registering custom allocators and removing them. Rules and concurrency: see ``ioasid.pxd``."""

from iopf.emulator.board.board cimport view
from iopf.emulator.board.ioasid cimport *

cdef int ioasid_register_allocator(view *v, ioasid_ops *ops) noexcept nogil
cdef void ioasid_unregister_allocator(view *v, ioasid_ops *ops) noexcept nogil
