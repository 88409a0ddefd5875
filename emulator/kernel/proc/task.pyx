# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""System calls of tenants. The division of work stands in ``task.pxd``."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.kernel.core.domain cimport domain_reap
from iopf.emulator.kernel.iommufd.eventq cimport *
from iopf.emulator.kernel.core.fault_param cimport rcu_reap
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.sva.sva cimport *
from iopf.emulator.kernel.sva.sva_mm cimport mm_invalidate_secondary_tlbs, sva_mmput
from iopf.emulator.kernel.iommufd.attach cimport *
from iopf.emulator.mm.mm cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_HANDLE, POOL_MM
from iopf.emulator.board.layout cimport USER_BUFFER
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.spec.program cimport *
from iopf.emulator.board.progress cimport user_buffer
from iopf.emulator.spec.roles cimport PHASE_ENDING
from iopf.emulator.spec.sites cimport *
from iopf.emulator.board.tenants cimport tenant

cdef enum:
    IDLE_NS = 400000000
    BOX_IDLE = 0
    BOX_POSTED = 1
    BOX_DONE = 2
    ENOENT = -2
    EBADF = -9
    EFAULT = -14
    EINVAL = -22
    EOPNOTSUPP = -95
    ESRCH = -3
    MM_GONE = 0xFFFFFFFF     # in tenant.mm after exit: an index that no pool has


cdef struct attached:
    uint32_t dev
    uint32_t pasid1              # + 1; 0: free


cdef struct files:
    # What the tenant's files keep: its bindings by device, its attachments, its fault objects. Private to the task.
    uint64_t handle[256]
    uint32_t binds[256]          # of the same handle
    attached attachments[16]
    uint32_t fault_objects       # bit mask


cdef mm_struct *tenant_mm(view *v, tenant *t) noexcept nogil:
    return <mm_struct *>pool_try(v.self, v.pools[POOL_MM], read64(v.self, &t.mm, TASK_RUN), TASK_RUN)


cdef void publish_pasid(view *v, tenant *t, mm_struct *mm) noexcept nogil:
    write32(v.self, &t.pasid, read32(v.self, &mm.pasid, SVA_BIND) if mm != NULL else 0, SVA_BIND)


cdef void note_bound(view *v, tenant *t, mm_struct *mm, uint32_t dev) noexcept nogil:
    and64(v.self, &t.refused[dev >> 6], ~(<uint64_t>1 << (dev & 63)), SVA_BIND)
    publish_pasid(v, t, mm)
    or64(v.self, &t.bound[dev >> 6], <uint64_t>1 << (dev & 63), SVA_BIND)  # partner: the acquire load of the device before it sends
    bell_ring(v.self, crew_actor(v.crew, v.devices[dev].actor), SVA_BIND)


cdef int64_t sys_bind(view *v, tenant *t, files *f, uint32_t dev) noexcept nogil:
    """A second bind of the same device shares the handle. One whose device was removed meanwhile is void, and made anew."""
    cdef mm_struct *mm = tenant_mm(v, t)
    cdef uint64_t handle = 0
    cdef int ret
    if mm == NULL or dev >= v.cfg.devices:
        return EFAULT
    if f.handle[dev] != 0 and pool_try(v.self, v.pools[POOL_HANDLE], f.handle[dev], SVA_BIND) == NULL:
        f.handle[dev] = f.binds[dev] = 0
    ret = iommu_sva_bind_device(v, dev, mm, &handle)
    if ret == 0:
        f.handle[dev] = handle
        f.binds[dev] += 1
        note_bound(v, t, mm, dev)
    elif f.handle[dev] == 0:
        # The device gives up what it would have sent for this address space, so nobody waits for it.
        or64(v.self, &t.refused[dev >> 6], <uint64_t>1 << (dev & 63), SVA_BIND)
        bell_ring(v.self, crew_actor(v.crew, v.devices[dev].actor), SVA_BIND)
    return ret


cdef int64_t sys_unbind(view *v, tenant *t, files *f, uint32_t dev) noexcept nogil:
    """The driver tells its function first that the PASID is not for use any more; stop and drain follow with the last binder."""
    cdef uint64_t handle
    cdef int ret
    if dev >= v.cfg.devices or f.handle[dev] == 0:
        return EFAULT
    handle = f.handle[dev]
    f.binds[dev] -= 1
    if f.binds[dev] == 0:
        f.handle[dev] = 0
        and64(v.self, &t.bound[dev >> 6], ~(<uint64_t>1 << (dev & 63)), SVA_UNBIND)
    ret = iommu_sva_unbind_device(v, handle)
    if tenant_mm(v, t) != NULL:
        publish_pasid(v, t, tenant_mm(v, t))
    return ret


cdef attached *attachment(files *f, uint32_t dev, uint32_t pasid1) noexcept nogil:
    """The entry of (device, PASID + 1), or with 0 a free one; NULL when there is none."""
    cdef uint32_t i
    for i in range(16):
        if f.attachments[i].pasid1 == pasid1 and (pasid1 == 0 or f.attachments[i].dev == dev):
            return &f.attachments[i]
    return NULL


cdef int64_t sys_attach(view *v, tenant *t, files *f, uint32_t dev, uint64_t *a) noexcept nogil:
    cdef attached *entry = attachment(f, 0, 0)
    cdef int64_t ret
    if entry == NULL or a[0] >= v.cfg.max_pasids:
        return EINVAL
    ret = iommu_attach_handle(v, dev, <uint32_t>a[0], <uint32_t>a[1], tenant_mm(v, t), <uint32_t>a[3])
    if ret == 0:
        entry.dev = dev
        entry.pasid1 = <uint32_t>a[0] + 1
    return ret


cdef int64_t sys_detach(view *v, files *f, uint32_t dev, uint64_t pasid) noexcept nogil:
    cdef attached *entry
    if pasid >= v.cfg.max_pasids:
        return EINVAL
    if not flow_of(v).attach_handles:
        return EOPNOTSUPP
    entry = attachment(f, dev, <uint32_t>pasid + 1)
    if entry == NULL:
        return ENOENT
    entry.pasid1 = 0
    return iommu_detach_handle(v, dev, <uint32_t>pasid)


cdef int64_t sys_fault_object(view *v, tenant *t, uint32_t ten, files *f, uint32_t op, uint32_t index, uint64_t *a) noexcept nogil:
    """open, close, read and write of a fault object."""
    cdef int64_t ret
    cdef uint64_t n
    if op == DO_FAULT_ALLOC:
        ret = fault_object_alloc(v, index)
        if ret == 0:
            f.fault_objects |= 1 << index
        return ret
    if index >= 32 or not f.fault_objects >> index & 1:
        return EBADF
    if op == DO_FAULT_CLOSE:
        f.fault_objects &= ~(<uint32_t>1 << index)
        ret = fault_object_close(v, index)
        domain_reap(v)
        return ret
    if op == DO_FAULT_READ:
        n = a[0] if a[0] < USER_BUFFER else USER_BUFFER // PGFAULT_BYTES * PGFAULT_BYTES
        return iommufd_fault_read(v, index, NULL if a[1] else user_buffer(v, ten), n, t.read_cookies, &t.read_count)
    ret = iommufd_fault_write(v, index, <uint32_t>(a[3] - 1) if a[3] != 0 else t.read_cookies[a[0] & 63], <uint32_t>a[1])
    domain_reap(v)
    return ret


cdef int64_t sys_touch(view *v, tenant *t, uint64_t *a) noexcept nogil:
    """The CPU's own accesses: every page of [start, end) is faulted in; -EFAULT at the first that cannot be."""
    cdef mm_struct *mm = tenant_mm(v, t)
    cdef uint64_t at = a[0]
    if mm == NULL:
        return EFAULT
    while at < a[1]:
        if handle_mm_fault(v, mm, at, <uint32_t>a[2] & 7) != 0:
            return EFAULT
        at += 4096
    return 0


cdef int64_t sys_mm_change(view *v, tenant *t, uint32_t op, uint64_t *a) noexcept nogil:
    """map, unmap, protect, zap, mremap under the write lock; devices are told before the lock is given back."""
    cdef mm_struct *mm = tenant_mm(v, t)
    cdef uint64_t present
    cdef int ret = 0
    if mm == NULL:
        return EFAULT
    write_lock(v.self, &mm.mmap_lock, MM_MAP)
    present = ld64_acq(&mm.rss)  # behind the lock: a fault may have added a page that a map over it takes away again
    if op == DO_MAP:
        ret = mm_map(v, mm, a[0], a[1], <uint32_t>a[2] & 7, <uint32_t>(a[2] >> 8) & 15)
    elif op == DO_UNMAP:
        ret = mm_unmap(v, mm, a[0], a[1])
    elif op == DO_PROTECT:
        ret = mm_protect(v, mm, a[0], a[1], <uint32_t>a[2])
    elif op == DO_ZAP:
        ret = mm_zap(v, mm, a[0], a[1])
    else:
        ret = mm_move(v, mm, a[0], a[1], a[3], a[4])
    # Also after an error: part of the range may be gone. A plain map of free space took nothing away.
    if op != DO_MAP or ld64_acq(&mm.rss) < present:
        mm_invalidate_secondary_tlbs(v, mm, a[0], a[1])
    if op == DO_MREMAP:
        mm_invalidate_secondary_tlbs(v, mm, a[3], a[4])
    write_unlock(v.self, &mm.mmap_lock, MM_MAP)
    return ret


cdef void start_child(view *v, tenant *child) noexcept nogil:
    write32(v.self, &child.started, 1, MM_FORK)
    bell_ring(v.self, crew_actor(v.crew, child.actor), MM_FORK)


cdef int64_t sys_fork(view *v, tenant *t, uint32_t child_index) noexcept nogil:
    """Makes the child's address space and lets its process go on."""
    cdef mm_struct *mm = tenant_mm(v, t)
    cdef mm_struct *copy
    cdef tenant *child
    cdef uint64_t ref
    if mm == NULL or child_index >= v.cfg.tenants:
        return EFAULT
    child = &v.tenants[child_index]
    ref = mm_alloc(v, child_index)
    if ref == 0:
        start_child(v, child)
        return -12
    copy = <mm_struct *>pool_deref(v.self, v.pools[POOL_MM], ref, MM_FORK)
    write_lock(v.self, &mm.mmap_lock, MM_FORK)
    mm_fork(v, mm, copy)
    mm_invalidate_secondary_tlbs(v, mm, 0, <uint64_t>1 << 47)
    write_unlock(v.self, &mm.mmap_lock, MM_FORK)
    if not try64(v.self, &child.mm, 0, ref, MM_FORK):
        # The child was killed before it was born, and its exit path has left its mark: the copy is nobody's.
        sva_mmput(v, copy)
        return ESRCH
    start_child(v, child)
    return 0


cdef int64_t sys_new_mm(view *v, tenant *t, uint32_t ten) noexcept nogil:
    cdef uint64_t ref
    if t.mm != 0:
        return -16
    ref = mm_alloc(v, ten)
    if ref == 0:
        return -12
    write64(v.self, &t.mm, ref, TASK_RUN)
    return 0


cdef void leave_mm(view *v, tenant *t, uint64_t successor) noexcept nogil:
    """Takes the address space out of the tenant, in one step with what a fork may be putting in."""
    cdef uint64_t ref = swap64(v.self, &t.mm, successor, MMPUT)
    cdef mm_struct *mm = <mm_struct *>pool_try(v.self, v.pools[POOL_MM], ref, MMPUT)
    if mm != NULL:
        sva_mmput(v, mm)


cdef void close_files(view *v, tenant *t, files *f) noexcept nogil:
    """Bindings, attachments and fault objects go. The objects last: their faults are answered by the detach."""
    cdef uint32_t dev, i
    for dev in range(v.cfg.devices):
        while f.handle[dev] != 0:
            sys_unbind(v, t, f, dev)
    for i in range(16):
        if f.attachments[i].pasid1 != 0:
            sys_detach(v, f, f.attachments[i].dev, f.attachments[i].pasid1 - 1)
    for i in range(v.cfg.fault_objects):
        if f.fault_objects >> i & 1:
            f.fault_objects &= ~(<uint32_t>1 << i)
            fault_object_close(v, i)
            domain_reap(v)


cdef int64_t sys_exit(view *v, tenant *t, files *f) noexcept nogil:
    """exit: the address space first, the files after it."""
    leave_mm(v, t, MM_GONE)
    close_files(v, t, f)
    publish_pasid(v, t, NULL)
    write32(v.self, &t.exited, 1, TASK_RUN)
    return 0


cdef int64_t sys_exec(view *v, tenant *t, files *f, uint32_t ten) noexcept nogil:
    """exec: the driver's file is close-on-exec, so bindings end; then a new, empty address space."""
    close_files(v, t, f)
    leave_mm(v, t, 0)
    publish_pasid(v, t, NULL)
    return sys_new_mm(v, t, ten)


cdef int64_t sys_spawn(view *v, tenant *t, files *f, uint32_t ten) noexcept nogil:
    """The next process of this tenant: what is left of the last one exits first."""
    if read64(v.self, &t.mm, TASK_RUN) != 0 and tenant_mm(v, t) != NULL:
        sys_exit(v, t, f)
    write64(v.self, &t.mm, 0, TASK_RUN)
    write32(v.self, &t.exited, 0, TASK_RUN)
    return sys_new_mm(v, t, ten)


cdef int64_t run_syscall(view *v, tenant *t, uint32_t ten, files *f, uint32_t op, uint64_t *args) noexcept nogil:
    if op == DO_BIND:
        return sys_bind(v, t, f, <uint32_t>args[2])
    if op == DO_UNBIND:
        return sys_unbind(v, t, f, <uint32_t>args[2])
    if op == DO_FORK:
        return sys_fork(v, t, <uint32_t>args[2])
    if op == DO_NEW_MM:
        return sys_new_mm(v, t, ten)
    if op == DO_EXEC:
        return sys_exec(v, t, f, ten)
    if op == DO_EXIT:
        return sys_exit(v, t, f)
    if op == DO_SPAWN:
        return sys_spawn(v, t, f, ten)
    if op == DO_TOUCH:
        return sys_touch(v, t, args)
    if op == DO_ATTACH:
        return sys_attach(v, t, f, <uint32_t>args[2], args)
    if op == DO_REPLACE:
        return iommu_replace_handle(v, <uint32_t>args[2], <uint32_t>args[0], <uint32_t>args[1], tenant_mm(v, t), <uint32_t>args[3])
    if op == DO_DETACH:
        return sys_detach(v, f, <uint32_t>args[2], args[0])
    if op == DO_FAULT_ALLOC or op == DO_FAULT_CLOSE or DO_FAULT_READ <= op <= DO_FAULT_WRITE:
        return sys_fault_object(v, t, ten, f, op, <uint32_t>args[2], args)
    if DO_MAP <= op <= DO_MREMAP:
        return sys_mm_change(v, t, op, args)
    return -38


cdef int task_main(view *v, uint32_t ten) noexcept nogil:
    """Serves one tenant until it has exited and the machine ends."""
    cdef tenant *t = &v.tenants[ten]
    cdef files f
    cdef uint32_t key
    cdef waiter w
    memset(&f, 0, sizeof(files))
    waiter_reset(&w)
    while True:
        v.self.heartbeat += 1
        if read32(v.self, &t.box.state, TASK_WAIT) == BOX_POSTED:
            t.box.ret = run_syscall(v, t, ten, &f, t.box.op, t.box.args)
            write32(v.self, &t.box.state, BOX_DONE, TASK_RUN)
            bell_ring(v.self, crew_actor(v.crew, t.actor), TASK_RUN)
            waiter_reset(&w)
            continue
        if ld32_acq(&t.dead) and not t.exited:
            sys_exit(v, t, &f)
            continue
        if waiter_spin(v.self, &w):
            continue
        rcu_reap(v)
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            domain_reap(v)
            return 0
        key = ec_prepare(v.self, bell_of(v.self), TASK_WAIT)
        if (read32(v.self, &t.box.state, TASK_WAIT) == BOX_POSTED or (ld32_acq(&t.dead) and not t.exited)
                or ld32_acq(&v.board.phase) >= PHASE_ENDING):
            ec_cancel(v.self, bell_of(v.self), key)
            continue
        if waiter_sleep(v.self, bell_of(v.self), key, IDLE_NS, TASK_WAIT, &w) and read32(v.self, &t.box.state, TASK_WAIT) == BOX_POSTED:
            wake_lost(v.self, bell_of(v.self), TASK_WAIT)
