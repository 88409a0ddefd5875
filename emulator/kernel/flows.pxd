# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The kernel of a process: the row of its generation, and the driver of its IOMMU."""

from iopf.emulator.board.board cimport view

cdef int kernel_attach(view *v) noexcept nogil
