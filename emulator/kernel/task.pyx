# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""System calls of tenants; probing, releasing and surprise removal of devices. The division of work stands in ``task.pxd``."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.mutex cimport *
from cython_ext.pool cimport *
from cython_ext.rcu cimport synchronize_rcu
from cython_ext.wait cimport *
from emulator.kernel.iopf cimport rcu_reap
from emulator.kernel.iopf_queue cimport iopf_queue_remove_device
from emulator.kernel.sva cimport *
from emulator.mm.mm cimport *
from emulator.spec.board cimport *
from emulator.spec.program cimport *
from emulator.spec.sites cimport *

cdef enum:
    IDLE_NS = 400000000
    BOX_IDLE = 0
    BOX_POSTED = 1
    BOX_DONE = 2
    EFAULT = -14
    ESRCH = -3
    MM_GONE = 0xFFFFFFFF     # in tenant.mm after exit: an index that no pool has


cdef struct files:
    # What the tenant's driver file keeps: its bindings, by device. Private to the task.
    uint64_t handle[256]


cdef mm_struct *tenant_mm(view *v, tenant *t) noexcept nogil:
    return <mm_struct *>pool_try(v.pools[POOL_MM], ld64_acq(&t.mm))


cdef void publish_pasid(tenant *t, mm_struct *mm) noexcept nogil:
    st32_rel(&t.pasid, mm.pasid if mm != NULL else 0)


cdef int64_t sys_bind(view *v, tenant *t, files *f, uint32_t dev) noexcept nogil:
    cdef mm_struct *mm = tenant_mm(v, t)
    cdef uint64_t handle = 0
    cdef int ret
    if mm == NULL or dev >= v.cfg.devices:
        return EFAULT
    if f.handle[dev] != 0:
        return -16
    ret = iommu_sva_bind_device(v, dev, mm, &handle)
    if ret != 0:
        # The device gives up what it would have sent for this address space, so nobody waits for it.
        or_64(&t.refused[dev >> 6], <uint64_t>1 << (dev & 63))
        bell_ring(v.self, crew_actor(v.crew, v.devices[dev].actor), SVA_BIND)
    else:
        and_64(&t.refused[dev >> 6], ~(<uint64_t>1 << (dev & 63)))
        f.handle[dev] = handle
        publish_pasid(t, mm)
        or_64(&t.bound[dev >> 6], <uint64_t>1 << (dev & 63))  # partner: the acquire load of the device before it sends
    return ret


cdef int64_t sys_unbind(view *v, tenant *t, files *f, uint32_t dev) noexcept nogil:
    """The driver tells its function first that the PASID is not for use any more; stop and drain follow."""
    cdef uint64_t handle
    if dev >= v.cfg.devices or f.handle[dev] == 0:
        return EFAULT
    handle = f.handle[dev]
    f.handle[dev] = 0
    and_64(&t.bound[dev >> 6], ~(<uint64_t>1 << (dev & 63)))
    return iommu_sva_unbind_device(v, handle)


cdef int64_t sys_mm_change(view *v, tenant *t, uint32_t op, uint64_t *a) noexcept nogil:
    """map, unmap, protect, zap, mremap under the write lock; devices are told before the lock is given back."""
    cdef mm_struct *mm = tenant_mm(v, t)
    cdef uint64_t present
    cdef int ret = 0
    if mm == NULL:
        return EFAULT
    present = ld64_acq(&mm.rss)
    write_lock(v.self, &mm.mmap_lock, MM_MAP)
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
    st32_rel(&child.started, 1)
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
    if not cas64(&child.mm, 0, ref):
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
    st64_rel(&t.mm, ref)
    return 0


cdef void leave_mm(view *v, tenant *t, uint64_t successor) noexcept nogil:
    """Takes the address space out of the tenant, in one step with what a fork may be putting in."""
    cdef uint64_t ref = xchg64(&t.mm, successor)
    cdef mm_struct *mm = <mm_struct *>pool_try(v.pools[POOL_MM], ref)
    if mm != NULL:
        sva_mmput(v, mm)


cdef void close_files(view *v, tenant *t, files *f) noexcept nogil:
    cdef uint32_t dev
    for dev in range(v.cfg.devices):
        if f.handle[dev] != 0:
            sys_unbind(v, t, f, dev)


cdef int64_t sys_exit(view *v, tenant *t, files *f) noexcept nogil:
    """exit: the address space first, the files after it."""
    leave_mm(v, t, MM_GONE)
    close_files(v, t, f)
    publish_pasid(t, NULL)
    st32_rel(&t.exited, 1)
    return 0


cdef int64_t sys_exec(view *v, tenant *t, files *f, uint32_t ten) noexcept nogil:
    """exec: the driver's file is close-on-exec, so bindings end; then a new, empty address space."""
    close_files(v, t, f)
    leave_mm(v, t, 0)
    publish_pasid(t, NULL)
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
    if DO_MAP <= op <= DO_MREMAP:
        return sys_mm_change(v, t, op, args)
    return -38


cdef int task_main(view *v, uint32_t ten) noexcept nogil:
    """Serves one tenant until it has exited and the machine ends."""
    cdef tenant *t = &v.tenants[ten]
    cdef files f
    cdef uint32_t i, key
    cdef waiter w
    for i in range(256):
        f.handle[i] = 0
    waiter_reset(&w)
    while True:
        v.self.heartbeat += 1
        if ld32_acq(&t.box.state) == BOX_POSTED:
            point(v.self, TASK_RUN << 8 | OP_LOCAL, &t.box, ACC_LOCAL)
            t.box.ret = run_syscall(v, t, ten, &f, t.box.op, t.box.args)
            st32_rel(&t.box.state, BOX_DONE)
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
            return 0
        key = ec_prepare(v.self, bell_of(v.self), TASK_WAIT)
        if (ld32_acq(&t.box.state) == BOX_POSTED or (ld32_acq(&t.dead) and not t.exited)
                or ld32_acq(&v.board.phase) >= PHASE_ENDING):
            ec_cancel(v.self, bell_of(v.self), key)
            continue
        if waiter_sleep(v.self, bell_of(v.self), key, IDLE_NS, TASK_WAIT, &w) and ld32_acq(&t.box.state) == BOX_POSTED:
            wake_lost(v.self, bell_of(v.self), TASK_WAIT)


cdef void iommu_probe_device(view *v, uint32_t dev) noexcept nogil:
    """Puts the device into the driver's table and switches PRI on (since v6.16 at probe): reception first, then the function."""
    cdef device *d = &v.devices[dev]
    mutex_lock(v.self, &v.board.iommu.iopf_lock, PROBE_DEVICE)
    d.registered = 1
    mutex_unlock(v.self, &v.board.iommu.iopf_lock, PROBE_DEVICE)
    st32_rel(&d.pre, 1)
    st32_rel(&d.pri_enabled, 1)
    bell_ring(v.self, crew_actor(v.crew, d.actor), PROBE_DEVICE)


cdef void unbind_all(view *v, uint32_t dev) noexcept nogil:
    """The device driver's remove: every binding of the function ends, whoever made it."""
    cdef uint32_t pasid
    cdef uint64_t ref
    for pasid in range(1, v.cfg.max_pasids):
        ref = ld64_acq(&pasid_array(v, dev)[pasid])
        while ref != 0 and iommu_sva_unbind_device(v, ref) == 0:
            ref = ld64_acq(&pasid_array(v, dev)[pasid])


cdef void iommu_release_device(view *v, uint32_t dev) noexcept nogil:
    """Removal, orderly or after the function has vanished: no new binds, bindings end with their drains, PRI off, off the table."""
    cdef device *d = &v.devices[dev]
    mutex_lock(v.self, &v.board.sva_lock, RELEASE_DEVICE)
    d.removing = 1  # from here on no bind can find the device
    mutex_unlock(v.self, &v.board.sva_lock, RELEASE_DEVICE)
    unbind_all(v, dev)
    iopf_queue_remove_device(v, dev)
    st32_rel(&d.pri_enabled, 0)
    st32_rel(&d.pre, 0)
    mutex_lock(v.self, &v.board.iommu.iopf_lock, RELEASE_DEVICE)
    d.registered = 0
    mutex_unlock(v.self, &v.board.iommu.iopf_lock, RELEASE_DEVICE)
    st32_rel(&d.released, 1)


cdef bint hotplug_step(view *v) noexcept nogil:
    """Does one thing that is due: a probe, or a removal that the supervisor asked for; true when it did."""
    cdef uint32_t dev
    cdef device *d
    for dev in range(v.cfg.devices):
        d = &v.devices[dev]
        if ld32_acq(&d.order) == ORDER_PROBE and not d.registered and not d.released:
            iommu_probe_device(v, dev)
            return True
        if ld32_acq(&d.order) == ORDER_REMOVE and not d.released:
            iommu_release_device(v, dev)
            return True
    return False


cdef int hotplug_main(view *v) noexcept nogil:
    """Runs until PHASE_ENDING; ends with a grace period, so that nothing retired is left."""
    cdef uint32_t key
    cdef waiter w
    waiter_reset(&w)
    while True:
        v.self.heartbeat += 1
        if hotplug_step(v):
            waiter_reset(&w)
            continue
        if waiter_spin(v.self, &w):
            continue
        rcu_reap(v)
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            synchronize_rcu(v.self, HOTPLUG)
            rcu_reap(v)
            return 0
        key = ec_prepare(v.self, bell_of(v.self), HOTPLUG)
        if hotplug_step(v) or ld32_acq(&v.board.phase) >= PHASE_ENDING:
            ec_cancel(v.self, bell_of(v.self), key)
            continue
        waiter_sleep(v.self, bell_of(v.self), key, IDLE_NS, HOTPLUG, &w)
