# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""System calls of tenants: what a task is, and the calls by number.

A call gets its caller and five words: ``a``, ``b``, ``arg``, ``c``, ``d`` of the record, in this order. It returns 0 or more, or a
negative errno. ``files`` is private to the task; all else that a call touches has its rules in the module that it calls.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.board.tenants cimport tenant

cdef enum:
    CALL_A = 0               # indices of the words of a call
    CALL_B = 1
    CALL_ARG = 2
    CALL_C = 3
    CALL_D = 4

cdef struct attached:
    uint32_t dev
    uint32_t pasid1              # + 1; 0: free

cdef struct files:               # what the tenant's files keep
    uint64_t handle[256]         # of its bindings, by device
    uint32_t binds[256]          # of the same handle
    attached attachments[16]
    uint32_t fault_objects       # bit mask

cdef struct caller:
    view *v
    tenant *t
    uint32_t index               # of the tenant
    files *f

ctypedef int64_t (*syscall)(caller *c, uint64_t *args) noexcept nogil

cdef mm_struct *tenant_mm(view *v, tenant *t) noexcept nogil
cdef int64_t run_syscall(caller *c, uint32_t op, uint64_t *args) noexcept nogil
