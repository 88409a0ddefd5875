# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The handles of ``work.pyx``."""

from tests.probes.crew cimport Handle
from iopf.cython_ext.work_ring cimport workring

cdef class WorkRing(Handle):
    cdef workring *ring
