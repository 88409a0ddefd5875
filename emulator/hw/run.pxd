# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Setting up one unit."""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.hw.vtd.engine cimport unit

# The state of one IOMMU, private to its process; NULL without memory.
cdef unit *unit_make(view *v, uint32_t index) noexcept nogil
