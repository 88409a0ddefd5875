# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The handles of ``pool.pyx``."""

from libc.stdint cimport uint64_t

from iopf.cython_ext.pool cimport listhead, objhdr, pool
from tests.probes.crew cimport Handle

cdef class Pool(Handle):
    cdef pool *p
    cdef objhdr *_object(self, uint64_t ref) except NULL

cdef class List(Handle):
    cdef listhead *head
    cdef Pool pool
