# SPDX-License-Identifier: MIT
# cython: language_level=3
"""A view of mapped memory for the compiled modules: base, size, and bounds checks for accesses from Python."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport ld32_acq, ld64_acq, st32_rel, st64_rel, xadd64


cdef class Memory:
    """Wrap an object with the buffer protocol (an ``mmap``) and keep it alive until ``close``.

    Words are read with acquire and written with release ordering; offsets are in bytes and checked for bounds and alignment.
    """

    def __cinit__(self, owner, *, bint writable=True):
        PyObject_GetBuffer(owner, &self._view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
        self._held = True
        self._owner = owner
        self.base = <char *>self._view.buf
        self.size = <uint64_t>self._view.len
        self.writable = writable

    def __dealloc__(self):
        if self._held:
            PyBuffer_Release(&self._view)

    cdef char *at(self, uint64_t offset, uint64_t length) except NULL:
        if not self._held:
            raise ValueError("the memory has been closed")
        if offset > self.size or length > self.size - offset:
            raise IndexError(f"{length} bytes at offset {offset} lie outside of {self.size} bytes")
        return self.base + offset

    cdef char *_word(self, uint64_t offset, uint64_t length, bint write) except NULL:
        if offset % length:
            raise ValueError(f"offset {offset} is not aligned to {length} bytes")
        if write and not self.writable:
            raise PermissionError("the memory is mapped read-only")
        return self.at(offset, length)

    def close(self):
        if self._held:
            self._held = False
            self.base = NULL
            PyBuffer_Release(&self._view)
            self._owner = None

    def read_u32(self, uint64_t offset) -> int:
        return ld32_acq(<uint32_t *>self._word(offset, 4, False))

    def read_u64(self, uint64_t offset) -> int:
        return ld64_acq(<uint64_t *>self._word(offset, 8, False))

    def write_u32(self, uint64_t offset, uint32_t value) -> None:
        st32_rel(<uint32_t *>self._word(offset, 4, True), value)

    def write_u64(self, uint64_t offset, uint64_t value) -> None:
        st64_rel(<uint64_t *>self._word(offset, 8, True), value)

    def add_u64(self, uint64_t offset, uint64_t value) -> int:
        """Add, and return the previous value."""
        return xadd64(<uint64_t *>self._word(offset, 8, True), value)

    def read_bytes(self, uint64_t offset, uint64_t length) -> bytes:
        return self.at(offset, length)[:length]

    def write_bytes(self, uint64_t offset, bytes data) -> None:
        cdef char *to = self.at(offset, len(data))
        cdef const unsigned char *source = data
        cdef Py_ssize_t i
        if not self.writable:
            raise PermissionError("the memory is mapped read-only")
        for i in range(len(data)):
            to[i] = source[i]
