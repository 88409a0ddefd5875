# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The table of the calls. See ``syscalls.pxd``."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.board.tenants cimport tenant
from iopf.emulator.kernel.proc.syscalls_device cimport *
from iopf.emulator.kernel.proc.syscalls_mm cimport *
from iopf.emulator.spec.classes cimport POOL_MM
from iopf.emulator.spec.program cimport *
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport ENOSYS


cdef syscall SYSCALLS[OPERATIONS]

SYSCALLS[DO_MAP] = sys_map
SYSCALLS[DO_UNMAP] = sys_unmap
SYSCALLS[DO_PROTECT] = sys_protect
SYSCALLS[DO_ZAP] = sys_zap
SYSCALLS[DO_MREMAP] = sys_mremap
SYSCALLS[DO_TOUCH] = sys_touch
SYSCALLS[DO_FORK] = sys_fork
SYSCALLS[DO_NEW_MM] = sys_new_mm
SYSCALLS[DO_EXIT] = sys_exit
SYSCALLS[DO_EXEC] = sys_exec
SYSCALLS[DO_SPAWN] = sys_spawn
SYSCALLS[DO_BIND] = sys_bind
SYSCALLS[DO_UNBIND] = sys_unbind
SYSCALLS[DO_ATTACH] = sys_attach
SYSCALLS[DO_REPLACE] = sys_replace
SYSCALLS[DO_DETACH] = sys_detach
SYSCALLS[DO_FAULT_ALLOC] = sys_fault_alloc
SYSCALLS[DO_FAULT_CLOSE] = sys_fault_close
SYSCALLS[DO_FAULT_READ] = sys_fault_read
SYSCALLS[DO_FAULT_WRITE] = sys_fault_write


cdef mm_struct *tenant_mm(view *v, tenant *t) noexcept nogil:
    return <mm_struct *>pool_try(v.self, v.pools[POOL_MM], read64(v.self, &t.mm, TASK_RUN), TASK_RUN)


cdef int64_t run_syscall(caller *c, uint32_t op, uint64_t *args) noexcept nogil:
    """One call; -ENOSYS for a number that has none."""
    return SYSCALLS[op](c, args) if op < OPERATIONS and SYSCALLS[op] != NULL else ENOSYS


def operations() -> list:
    """The numbers that have a call."""
    return [op for op in range(OPERATIONS) if SYSCALLS[op] != NULL]
