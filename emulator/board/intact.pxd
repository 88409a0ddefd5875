# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Whether the words of a board that never change after its start still are what its configuration says."""

from iopf.emulator.board.board cimport view

cdef int check_plan(view *v) except -1
cdef object first_damage(view *v)
