# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Adding, removing, flushing and discarding, as of v7.2. Lock order and contracts stand in ``iopf.pxd``."""

from libc.stdint cimport uint32_t

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.mutex cimport *
from cython_ext.pool cimport *
from cython_ext.rcu cimport *
from cython_ext.refcount cimport *
from cython_ext.work_ring cimport *
from emulator.kernel.iopf cimport *
from emulator.spec.board cimport *
from emulator.spec.sites cimport *
from emulator.spec.vtd cimport *

cdef enum:
    LIST_PARTIAL = 1
    LIST_PENDING = 2
    FLUSH_POLL_NS = 1000000000


cdef int iopf_queue_add_device(view *v, uint32_t dev) noexcept nogil:
    """Publishes a fault_param for the device: 0, -EBUSY (already on a queue), -ENOMEM."""
    cdef fault_param *param
    cdef device *d = &v.devices[dev]
    cdef int ret = 0
    mutex_lock(v.self, &v.board.queue_lock, QUEUE_ADD_DEVICE)
    mutex_lock(v.self, &d.param_lock, QUEUE_ADD_DEVICE)
    if d.fault_param != 0:
        ret = -16
    else:
        param = <fault_param *>pool_alloc(v.self, v.pools[POOL_PARAM], QUEUE_ADD_DEVICE)
        if param == NULL:
            # Retired objects may only wait for their grace period. Readers hold none of these locks, so waiting here is safe.
            synchronize_rcu(v.self, QUEUE_ADD_DEVICE)
            rcu_reap(v)
            param = <fault_param *>pool_alloc(v.self, v.pools[POOL_PARAM], QUEUE_ADD_DEVICE)
        if param == NULL:
            ret = -12
        else:
            param.lock.cls = LOCK_FAULT_PARAM
            param.device = dev
            param.partial.id = LIST_PARTIAL
            param.faults.id = LIST_PENDING
            ref_set(&param.users, 1)
            list_add_tail(v.self, v.pools[POOL_PARAM], &v.board.queue_devices, &param.hdr, QUEUE_ADD_DEVICE)
            # Publication; partner: the acquire load in iopf_get_dev_fault_param.
            st64_rel(&d.fault_param, pool_ref(v.pools[POOL_PARAM], &param.hdr))
    mutex_unlock(v.self, &d.param_lock, QUEUE_ADD_DEVICE)
    mutex_unlock(v.self, &v.board.queue_lock, QUEUE_ADD_DEVICE)
    return ret


cdef void answer_pending(view *v, fault_param *param) noexcept nogil:
    """Answers INVALID to every pending group and frees it (v6.14 and later). Caller holds no fault_param.lock.

    Only right for groups that nobody else owns: the driver has flushed the queue before. A group that a worker still holds is
    then a use after free, which the pool reports.
    """
    cdef objhdr *node
    cdef uint32_t n = 0
    while n <= v.pools[POOL_GROUP].capacity:
        mutex_lock(v.self, &param.lock, QUEUE_REMOVE_DEVICE)
        node = list_node(v.self, v.pools[POOL_GROUP], &param.faults, param.faults.last, QUEUE_REMOVE_DEVICE)
        mutex_unlock(v.self, &param.lock, QUEUE_REMOVE_DEVICE)
        if node == NULL:
            return
        iopf_group_response(v, <iopf_group *>node, RESP_INVALID)
        iopf_free_group(v, <iopf_group *>node)
        n += 1


cdef void iopf_queue_remove_device(view *v, uint32_t dev) noexcept nogil:
    """Takes the device off the queue. Never fails; the driver has stopped reception and drained before."""
    cdef device *d = &v.devices[dev]
    cdef fault_param *param
    mutex_lock(v.self, &v.board.queue_lock, QUEUE_REMOVE_DEVICE)
    mutex_lock(v.self, &d.param_lock, QUEUE_REMOVE_DEVICE)
    if d.fault_param == 0:
        mutex_unlock(v.self, &d.param_lock, QUEUE_REMOVE_DEVICE)
        mutex_unlock(v.self, &v.board.queue_lock, QUEUE_REMOVE_DEVICE)
        return
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], d.fault_param, QUEUE_REMOVE_DEVICE)
    if param != NULL:
        mutex_lock(v.self, &param.lock, QUEUE_REMOVE_DEVICE)
        free_partials(v, dev, param, FATE_FREED, QUEUE_REMOVE_DEVICE)
        mutex_unlock(v.self, &param.lock, QUEUE_REMOVE_DEVICE)
        answer_pending(v, param)
        list_del(v.self, v.pools[POOL_PARAM], &v.board.queue_devices, &param.hdr, QUEUE_REMOVE_DEVICE)
    st64_rel(&d.fault_param, 0)
    mutex_unlock(v.self, &d.param_lock, QUEUE_REMOVE_DEVICE)
    mutex_unlock(v.self, &v.board.queue_lock, QUEUE_REMOVE_DEVICE)
    if param != NULL:
        iopf_put_dev_fault_param(v, param)


cdef int iopf_queue_flush_dev(view *v, uint32_t dev) noexcept nogil:
    """Waits until every group queued before the call is done, whatever its device; 0, -ENODEV. No lock is held across it."""
    cdef fault_param *param = iopf_get_dev_fault_param(v, dev)
    if param == NULL:
        return -19
    while work_flush(v.self, v.work, FLUSH_POLL_NS, QUEUE_FLUSH_DEV) != 0:
        v.self.heartbeat += 1
    iopf_put_dev_fault_param(v, param)
    return 0


cdef int iopf_queue_discard_partial(view *v) noexcept nogil:
    """After an overflow: every half-collected group of every device of the queue is forgotten without an answer."""
    cdef uint32_t at, n = 0
    cdef objhdr *node
    cdef fault_param *param
    mutex_lock(v.self, &v.board.queue_lock, QUEUE_DISCARD_PARTIAL)
    at = v.board.queue_devices.first
    while n <= MAX_DEVICES:
        node = list_node(v.self, v.pools[POOL_PARAM], &v.board.queue_devices, at, QUEUE_DISCARD_PARTIAL)
        if node == NULL:
            break
        at = node.next
        param = <fault_param *>node
        mutex_lock(v.self, &param.lock, QUEUE_DISCARD_PARTIAL)
        free_partials(v, param.device, param, FATE_DISCARDED, QUEUE_DISCARD_PARTIAL)
        mutex_unlock(v.self, &param.lock, QUEUE_DISCARD_PARTIAL)
        n += 1
    xadd64_rlx(&v.board.iommu.discards, 1)
    mutex_unlock(v.self, &v.board.queue_lock, QUEUE_DISCARD_PARTIAL)
    return 0
