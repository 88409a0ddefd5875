# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""A tenant on the board, and the system call that it waits for: its task, the kernel's side of it, executes what it posts."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport read64
from iopf.cython_ext.crew cimport iopf_actor

cdef struct syscall_box:
    uint32_t state               # 0 idle, 1 posted (tenant), 2 done (task)
    uint32_t op
    uint64_t args[5]
    int64_t ret

cdef struct tenant:
    syscall_box box              # tenant and its task
    uint64_t mm                  # reference; the task writes
    uint32_t pasid               # of the current mm; the task writes
    uint32_t started             # forked: the parent's task has made the mm
    uint64_t ops_done            # operations of its program that are over; the tenant writes
    uint32_t gate_waiting        # devices ring it while this is set
    uint32_t dead                # the process is gone
    uint32_t actor
    uint32_t task
    uint64_t program             # first record, count
    uint64_t program_count
    uint64_t devices[4]          # bitmap of devices that its program binds
    uint64_t bound[4]            # bitmap: bound now; the task sets it after bind and clears it before unbind
    uint64_t refused[4]          # bitmap: the last bind failed; the task writes
    uint32_t read_count          # groups that the last read of a fault object returned; the task writes
    uint32_t script              # runs a program of operations, which may have it exit and start again
    uint32_t finished
    uint32_t exited
    uint64_t pad[4]

cdef inline bint tenant_refused(iopf_actor *self, tenant *t, uint32_t dev, uint32_t site) noexcept nogil:
    return (read64(self, &t.refused[dev >> 6], site) >> (dev & 63)) & 1

cdef inline bint tenant_bound(iopf_actor *self, tenant *t, uint32_t dev, uint32_t site) noexcept nogil:
    return (read64(self, &t.bound[dev >> 6], site) >> (dev & 63)) & 1
