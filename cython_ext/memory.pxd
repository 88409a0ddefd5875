# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
from libc.stdint cimport uint64_t

cdef class Memory:
    cdef object _owner
    cdef Py_buffer _view
    cdef bint _held
    cdef char *base
    cdef readonly uint64_t size
    cdef readonly bint writable
    cdef char *at(self, uint64_t offset, uint64_t length) except NULL
    cdef char *_word(self, uint64_t offset, uint64_t length, bint write) except NULL
