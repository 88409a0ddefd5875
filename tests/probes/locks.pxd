# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The handles of ``locks.pyx``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.mutex cimport rmutex, rwlock
from tests.probes.crew cimport Handle
from iopf.cython_ext.wait cimport eventcount

cdef class EventCount(Handle):
    cdef eventcount *ec

cdef class Mutex(Handle):
    cdef rmutex *m

cdef class RwLock(Handle):
    cdef rwlock *lock

cdef class Refcount(Handle):
    cdef uint32_t *r
