# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Calls about the address space."""

from libc.stdint cimport int64_t, uint64_t

from iopf.emulator.kernel.proc.syscalls cimport caller

cdef int64_t sys_map(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_unmap(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_protect(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_zap(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_mremap(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_touch(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_fork(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_new_mm(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_exec(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_spawn(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_exit(caller *c, uint64_t *args) noexcept nogil
