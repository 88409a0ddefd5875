# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Calls about devices, and what the end of a process does with its files."""

from libc.stdint cimport int64_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.board.tenants cimport tenant
from iopf.emulator.kernel.proc.syscalls cimport caller

cdef void publish_pasid(view *v, tenant *t, mm_struct *mm) noexcept nogil
cdef void close_files(caller *c) noexcept nogil
cdef int64_t sys_bind(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_unbind(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_attach(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_replace(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_detach(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_fault_alloc(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_fault_close(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_fault_read(caller *c, uint64_t *args) noexcept nogil
cdef int64_t sys_fault_write(caller *c, uint64_t *args) noexcept nogil
