# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Serving the command queue of one unit. Order of a wait with page drain: see ``engine.pxd``."""

from libc.stdint cimport uint32_t

from iopf.emulator.hw.vtd.engine cimport unit

cdef uint32_t serve_commands(unit *u) noexcept nogil
