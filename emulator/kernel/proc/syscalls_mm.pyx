# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Calls about the address space: mappings, fork, exec, exit."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.changes cimport change_begin, change_end
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.board.tenants cimport tenant
from iopf.emulator.kernel.proc.syscalls cimport *
from iopf.emulator.kernel.proc.syscalls_device cimport close_files, publish_pasid
from iopf.emulator.kernel.sva.sva_mm cimport mm_invalidate_secondary_tlbs, sva_mmput
from iopf.emulator.mm.mm cimport *
from iopf.emulator.spec.classes cimport POOL_MM
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EBUSY, EFAULT, ENOMEM, ESRCH

cdef enum:
    MM_GONE = 0xFFFFFFFF     # in tenant.mm after exit: an index that no pool has

ctypedef int (*mm_change)(view *v, mm_struct *mm, uint64_t *args) noexcept nogil


cdef int change_mm(caller *c, uint64_t *args, mm_change change, bint removes, bint moves) noexcept nogil:
    """A change of mappings under the write lock. Devices are told before the lock is released, also after an error: part of the range
    may be gone. A plain map of free space removes nothing; a move (``moves``) has a second range."""
    cdef mm_struct *mm = tenant_mm(c.v, c.t)
    cdef uint64_t present
    cdef int ret
    if mm == NULL:
        return EFAULT
    write_lock(c.v.self, &mm.mmap_lock, MM_MAP)
    present = ld64_acq(&mm.rss)  # behind the lock: a fault may have added a page that a map over it takes away again
    if present:
        change_begin(c.v.self, &mm.changes, MM_MAP)
    ret = change(c.v, mm, args)
    if removes or ld64_acq(&mm.rss) < present:
        mm_invalidate_secondary_tlbs(c.v, mm, args[CALL_A], args[CALL_B])
    if moves:
        mm_invalidate_secondary_tlbs(c.v, mm, args[CALL_C], args[CALL_D])
    if present:
        change_end(c.v.self, &mm.changes, MM_MAP)
    write_unlock(c.v.self, &mm.mmap_lock, MM_MAP)
    return ret


cdef int do_map(view *v, mm_struct *mm, uint64_t *args) noexcept nogil:
    return mm_map(v, mm, args[CALL_A], args[CALL_B], <uint32_t>args[CALL_ARG] & 7, <uint32_t>(args[CALL_ARG] >> 8) & 15)


cdef int do_unmap(view *v, mm_struct *mm, uint64_t *args) noexcept nogil:
    return mm_unmap(v, mm, args[CALL_A], args[CALL_B])


cdef int do_protect(view *v, mm_struct *mm, uint64_t *args) noexcept nogil:
    return mm_protect(v, mm, args[CALL_A], args[CALL_B], <uint32_t>args[CALL_ARG])


cdef int do_zap(view *v, mm_struct *mm, uint64_t *args) noexcept nogil:
    return mm_zap(v, mm, args[CALL_A], args[CALL_B])


cdef int do_mremap(view *v, mm_struct *mm, uint64_t *args) noexcept nogil:
    return mm_move(v, mm, args[CALL_A], args[CALL_B], args[CALL_C], args[CALL_D])


cdef int64_t sys_map(caller *c, uint64_t *args) noexcept nogil:
    return change_mm(c, args, do_map, False, False)


cdef int64_t sys_unmap(caller *c, uint64_t *args) noexcept nogil:
    return change_mm(c, args, do_unmap, True, False)


cdef int64_t sys_protect(caller *c, uint64_t *args) noexcept nogil:
    return change_mm(c, args, do_protect, True, False)


cdef int64_t sys_zap(caller *c, uint64_t *args) noexcept nogil:
    return change_mm(c, args, do_zap, True, False)


cdef int64_t sys_mremap(caller *c, uint64_t *args) noexcept nogil:
    return change_mm(c, args, do_mremap, True, True)


cdef int64_t sys_touch(caller *c, uint64_t *args) noexcept nogil:
    """The CPU's own accesses: every page of [start, end) is faulted in; -EFAULT at the first that cannot be."""
    cdef mm_struct *mm = tenant_mm(c.v, c.t)
    cdef uint64_t at = args[CALL_A]
    if mm == NULL:
        return EFAULT
    while at < args[CALL_B]:
        if handle_mm_fault(c.v, mm, at, <uint32_t>args[CALL_ARG] & 7) != 0:
            return EFAULT
        at += 4096
    return 0


cdef void start_child(view *v, tenant *child) noexcept nogil:
    write32(v.self, &child.started, 1, MM_FORK)
    bell_ring(v.self, crew_actor(v.crew, child.actor), MM_FORK)


cdef int64_t sys_fork(caller *c, uint64_t *args) noexcept nogil:
    """Makes the child's address space and lets its process go on."""
    cdef view *v = c.v
    cdef uint32_t child_index = <uint32_t>args[CALL_ARG]
    cdef mm_struct *mm = tenant_mm(v, c.t)
    cdef mm_struct *copy
    cdef tenant *child
    cdef uint64_t ref
    if mm == NULL or child_index >= v.cfg.tenants:
        return EFAULT
    child = &v.tenants[child_index]
    ref = mm_alloc(v, child_index)
    if ref == 0:
        start_child(v, child)
        return ENOMEM
    copy = <mm_struct *>pool_deref(v.self, v.pools[POOL_MM], ref, MM_FORK)
    write_lock(v.self, &mm.mmap_lock, MM_FORK)
    change_begin(v.self, &mm.changes, MM_FORK)
    mm_fork(v, mm, copy)
    mm_invalidate_secondary_tlbs(v, mm, 0, <uint64_t>1 << 47)
    change_end(v.self, &mm.changes, MM_FORK)
    write_unlock(v.self, &mm.mmap_lock, MM_FORK)
    if not try64(v.self, &child.mm, 0, ref, MM_FORK):
        # The child's process was killed before its first step; its exit path has left MM_GONE here.
        sva_mmput(v, copy)
        return ESRCH
    start_child(v, child)
    return 0


cdef int64_t sys_new_mm(caller *c, uint64_t *args) noexcept nogil:
    cdef uint64_t ref
    if c.t.mm != 0:
        return EBUSY
    ref = mm_alloc(c.v, c.index)
    if ref == 0:
        return ENOMEM
    write64(c.v.self, &c.t.mm, ref, TASK_RUN)
    return 0


cdef void leave_mm(view *v, tenant *t, uint64_t successor) noexcept nogil:
    """Takes the address space out of the tenant, in one step with what a fork may be putting in."""
    cdef uint64_t ref = swap64(v.self, &t.mm, successor, MMPUT)
    cdef mm_struct *mm = <mm_struct *>pool_try(v.self, v.pools[POOL_MM], ref, MMPUT)
    if mm != NULL:
        sva_mmput(v, mm)


cdef int64_t sys_exit(caller *c, uint64_t *args) noexcept nogil:
    """exit: the address space first, the files after it."""
    leave_mm(c.v, c.t, MM_GONE)
    close_files(c)
    publish_pasid(c.v, c.t, NULL)
    write32(c.v.self, &c.t.exited, 1, TASK_RUN)
    return 0


cdef int64_t sys_exec(caller *c, uint64_t *args) noexcept nogil:
    """exec: the driver's file is close-on-exec, so bindings end; then a new, empty address space."""
    close_files(c)
    leave_mm(c.v, c.t, 0)
    publish_pasid(c.v, c.t, NULL)
    return sys_new_mm(c, args)


cdef int64_t sys_spawn(caller *c, uint64_t *args) noexcept nogil:
    """The next process of this tenant: the rest of the last one exits first."""
    if read64(c.v.self, &c.t.mm, TASK_RUN) != 0 and tenant_mm(c.v, c.t) != NULL:
        sys_exit(c, args)
    write64(c.v.self, &c.t.mm, 0, TASK_RUN)
    write32(c.v.self, &c.t.exited, 0, TASK_RUN)
    return sys_new_mm(c, args)
