# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Queues of devices. Errors and locks: see ``queue.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.rcu cimport *
from iopf.emulator.kernel.core.fault_param cimport *
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.group cimport *
from iopf.emulator.kernel.core.iommu_ops cimport ops_of
from iopf.emulator.kernel.core.partials cimport *
from iopf.emulator.kernel.core.response cimport *
from iopf.emulator.kernel.core.workqueue cimport flush_workqueue
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport LOCK_QUEUE, POOL_GROUP, POOL_PARAM
from iopf.emulator.board.config cimport *
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.iommus cimport unit_of
from iopf.emulator.board.layout cimport MAX_DEVICES
from iopf.emulator.board.ledger cimport *
from iopf.emulator.board.objects cimport fault_param, iopf_group
from iopf.emulator.board.queues cimport iopf_queue, queue_at
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.errno cimport EBUSY, EINVAL, ENODEV, ENOMEM

cdef enum:
    BUSY_NS = 20000
    LIST_QUEUE = 16              # + index of the queue


cdef int iopf_queue_alloc(view *v, uint32_t ring) noexcept nogil:
    """The index of a new queue that works on workqueue ``ring``, or -ENOMEM."""
    cdef uint32_t i
    cdef int found = ENOMEM
    cdef iopf_queue *queue
    mutex_lock(v.self, &v.board.queues_lock, QUEUE_ALLOC)
    for i in range(v.cfg.queues):
        queue = queue_at(v, i)
        if not queue.used:
            queue.used = 1
            queue.ring = ring
            queue.lock.cls = LOCK_QUEUE
            queue.devices.id = LIST_QUEUE + i
            found = <int>i
            break
    mutex_unlock(v.self, &v.board.queues_lock, QUEUE_ALLOC)
    return found


cdef int iopf_queue_free(view *v, uint32_t queue) noexcept nogil:
    """Takes the remaining devices off, lets what is queued run to its end, and gives the place back: 0, -EINVAL."""
    cdef iopf_queue *q
    cdef uint32_t dev
    if queue >= v.cfg.queues or not queue_at(v, queue).used:
        return EINVAL
    q = queue_at(v, queue)
    for dev in range(v.cfg.devices):
        if read32(v.self, &v.devices[dev].queue, QUEUE_ALLOC) == queue + 1:
            iopf_queue_remove_device(v, queue, dev)
    flush_workqueue(v, q.ring, QUEUE_ALLOC)
    mutex_lock(v.self, &v.board.queues_lock, QUEUE_ALLOC)
    q.used = 0
    mutex_unlock(v.self, &v.board.queues_lock, QUEUE_ALLOC)
    return 0


cdef uint32_t device_queue(view *v, uint32_t dev) noexcept nogil:
    """The queue that the VT-d driver puts a device on: the only one, that of its IOMMU, or its own."""
    if v.cfg.queue_mode == QUEUES_GLOBAL:
        return 0
    return dev if v.cfg.queue_mode == QUEUES_DEVICE else unit_of(v, dev)


cdef fault_param *param_for_queue(view *v, uint32_t dev) noexcept nogil:
    cdef fault_param *param = param_alloc(v, dev, QUEUE_ADD_DEVICE)
    if param == NULL:
        # Retired objects may only wait for their grace period. Readers hold none of these locks, so waiting here is safe.
        synchronize_rcu(v.self, QUEUE_ADD_DEVICE)
        rcu_reap(v)
        param = param_alloc(v, dev, QUEUE_ADD_DEVICE)
    return param


cdef int add_locked(view *v, iopf_queue *q, uint32_t queue, uint32_t dev) noexcept nogil:
    """Caller holds queue.lock and param_lock. Publication is the last step."""
    cdef device *d = &v.devices[dev]
    cdef uint64_t *slot = &d.iopf_param if flow_of(v).registers_handler else &d.fault_param
    cdef fault_param *param
    if slot[0] != 0:
        return EBUSY
    param = param_for_queue(v, dev)
    if param == NULL:
        return ENOMEM
    list_add_tail(v.self, v.pools[POOL_PARAM], &q.devices, &param.hdr, QUEUE_ADD_DEVICE)
    write32(v.self, &d.queue, queue + 1, QUEUE_ADD_DEVICE)
    # Publication; partner: the acquire load in iopf_get_dev_fault_param.
    if not try64(v.self, slot, 0, pool_ref(v.pools[POOL_PARAM], &param.hdr), QUEUE_ADD_DEVICE):
        # gunthorpe: the first fault was faster and has made the object of the device.
        list_del(v.self, v.pools[POOL_PARAM], &q.devices, &param.hdr, QUEUE_ADD_DEVICE)
        pool_free(v.self, v.pools[POOL_PARAM], &param.hdr, QUEUE_ADD_DEVICE)
        write32(v.self, &d.queue, 0, QUEUE_ADD_DEVICE)
        return EBUSY
    return 0


cdef int iopf_queue_add_device(view *v, uint32_t queue, uint32_t dev) noexcept nogil:
    """0, -ENODEV (no such device or queue), -EBUSY (already on a queue), -ENOMEM."""
    cdef iopf_queue *q
    cdef int ret
    if dev >= v.cfg.devices or queue >= v.cfg.queues or not queue_at(v, queue).used:
        return ENODEV
    q = queue_at(v, queue)
    mutex_lock(v.self, &q.lock, QUEUE_ADD_DEVICE)
    mutex_lock(v.self, &v.devices[dev].param_lock, QUEUE_ADD_DEVICE)
    ret = add_locked(v, q, queue, dev)
    mutex_unlock(v.self, &v.devices[dev].param_lock, QUEUE_ADD_DEVICE)
    mutex_unlock(v.self, &q.lock, QUEUE_ADD_DEVICE)
    return ret


cdef void answer_pending(view *v, fault_param *param) noexcept nogil:
    """Answers INVALID to every pending group, the newest first (v6.9; 0095bf83554f), and since v6.14 frees it (9759ae2cee7c).

    Freeing is right only for groups without another owner: the driver has flushed the queue before. A group that a worker or user space
    still holds is then a use after free, which the pool reports; OPTION_CONTAIN leaves it to its owner. Caller holds fault_param.lock.
    """
    cdef iopf_group *group
    cdef objhdr *node
    cdef uint32_t n = 0
    while n <= v.pools[POOL_GROUP].capacity:
        node = list_node(v.self, v.pools[POOL_GROUP], &param.faults, param.faults.last, QUEUE_REMOVE_DEVICE)
        if node == NULL:
            return
        group = <iopf_group *>node
        reach(v, EVENT_REMOVE_DELIVERED if with_user(v, group) else EVENT_REMOVE_PENDING)
        group_response_locked(v, param, group, IOMMU_PAGE_RESP_INVALID)
        if v.cfg.options & OPTION_CONTAIN:
            group.answered = ANSWERED_WITH_USER if with_user(v, group) else ANSWERED_CONTAINED
            if group.answered == ANSWERED_CONTAINED:
                add32(v.self, &v.devices[group.device].contained, 1, QUEUE_REMOVE_DEVICE)
        elif flow_of(v).remove_frees:
            iopf_free_group(v, group, QUEUE_REMOVE_DEVICE)
        n += 1


cdef bint groups_open(view *v, device *d) noexcept nogil:
    """Whether a worker has, or will have, a group of the device in hand."""
    cdef uint64_t settled = read64(v.self, &d.kern.groups_settled, QUEUE_REMOVE_DEVICE)
    return read64(v.self, &d.kern.groups, QUEUE_REMOVE_DEVICE) > settled


cdef void answer_and_forget(view *v, fault_param *param) noexcept nogil:
    """Partials go without an answer, pending groups with one."""
    mutex_lock(v.self, &param.lock, QUEUE_REMOVE_DEVICE)
    free_partials(v, param, ALL_GROUPS, 0, FATE_FREED, QUEUE_REMOVE_DEVICE)
    if flow_of(v).user_owns and read32(v.self, &param.users, QUEUE_REMOVE_DEVICE) > 1 + param.faults.count:
        reach(v, EVENT_REMOVE_DELIVERED)  # what holds the object without being listed is with user space
    answer_pending(v, param)
    mutex_unlock(v.self, &param.lock, QUEUE_REMOVE_DEVICE)


cdef void take_off(view *v, iopf_queue *q, uint32_t dev, uint64_t *slot, fault_param *param) noexcept nogil:
    """Unlinks and unpublishes the object; its users still have it."""
    if param.hdr.list != 0:
        list_del(v.self, v.pools[POOL_PARAM], &q.devices, &param.hdr, QUEUE_REMOVE_DEVICE)
    write64(v.self, slot, 0, QUEUE_REMOVE_DEVICE)
    write32(v.self, &v.devices[dev].queue, 0, QUEUE_REMOVE_DEVICE)


cdef int remove_leaving(view *v, iopf_queue *q, uint32_t queue, uint32_t dev) noexcept nogil:
    """v5.13 to v6.8: pending copies and queued groups stay, their worker owns them; -EINVAL when the device is not on this queue."""
    cdef device *d = &v.devices[dev]
    cdef fault_param *param
    if d.iopf_param == 0 or d.queue != queue + 1:
        return EINVAL
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], d.iopf_param, QUEUE_REMOVE_DEVICE)
    if param == NULL:
        return 0
    if groups_open(v, d):
        reach(v, EVENT_REMOVE_PENDING)
    free_partials(v, param, ALL_GROUPS, 0, FATE_FREED, QUEUE_REMOVE_DEVICE)
    take_off(v, q, dev, &d.iopf_param, param)
    pool_free(v.self, v.pools[POOL_PARAM], &param.hdr, QUEUE_REMOVE_DEVICE)
    return 0


cdef int remove_answering(view *v, iopf_queue *q, uint32_t queue, uint32_t dev) noexcept nogil:
    """v6.9 and later; it never fails."""
    cdef device *d = &v.devices[dev]
    cdef fault_param *param
    if d.fault_param == 0 or d.queue != queue + 1:
        return 0
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], d.fault_param, QUEUE_REMOVE_DEVICE)
    if param == NULL:
        return 0
    answer_and_forget(v, param)
    take_off(v, q, dev, &d.fault_param, param)
    put_fault_param(v, param)
    return 0


cdef int remove_acknowledging(view *v, iopf_queue *q, uint32_t queue, uint32_t dev) noexcept nogil:
    """gunthorpe: partials and pending groups are acknowledged; the groups stay listed. The device need not be on a queue."""
    cdef device *d = &v.devices[dev]
    cdef fault_param *param
    if d.fault_param == 0:
        return 0
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], d.fault_param, QUEUE_REMOVE_DEVICE)
    if param == NULL:
        return 0
    acknowledge_pending(v, param, 0, 0)
    take_off(v, q, dev, &d.fault_param, param)
    put_fault_param(v, param)
    return 0


cdef int iopf_queue_remove_device(view *v, uint32_t queue, uint32_t dev) noexcept nogil:
    """Takes the device off the queue. Since v6.9 it never fails; the driver has stopped the source and drained before."""
    cdef iopf_queue *q
    cdef int ret
    if dev >= v.cfg.devices or queue >= v.cfg.queues:
        return EINVAL
    q = queue_at(v, queue)
    while read32(v.self, &v.devices[dev].busy, QUEUE_REMOVE_DEVICE):
        point_nap(v.self, QUEUE_REMOVE_DEVICE << 8 | OP_NAP, BUSY_NS)  # defect busy-flag-two-flushers: its kernel polls
    mutex_lock(v.self, &q.lock, QUEUE_REMOVE_DEVICE)
    mutex_lock(v.self, &v.devices[dev].param_lock, QUEUE_REMOVE_DEVICE)
    ret = flow_of(v).remove_device(v, q, queue, dev)
    mutex_unlock(v.self, &v.devices[dev].param_lock, QUEUE_REMOVE_DEVICE)
    mutex_unlock(v.self, &q.lock, QUEUE_REMOVE_DEVICE)
    return ret


cdef void flush_rings(view *v, uint32_t queue) noexcept nogil:
    """The workqueue of an iopf queue, or with one per domain all of them."""
    cdef uint32_t ring
    if v.cfg.queue_mode != QUEUES_DOMAIN:
        flush_workqueue(v, queue_at(v, queue).ring, QUEUE_FLUSH_DEV)
        return
    for ring in range(v.cfg.work_rings):
        flush_workqueue(v, ring, QUEUE_FLUSH_DEV)


cdef bint workers_have_groups(view *v, device *d) noexcept nogil:
    """Whether removal has left groups of a device behind: unanswered ones until v6.8, since then those it has answered itself."""
    return read32(v.self, &d.contained, QUEUE_FLUSH_DEV) != 0 or (flow_of(v).registers_handler and groups_open(v, d))


cdef int flush_unlisted(view *v, uint32_t dev) noexcept nogil:
    """-ENODEV: the device is on no queue. OPTION_CONTAIN waits all the same for groups that a removal without a drain has left."""
    if v.cfg.options & OPTION_CONTAIN:
        if workers_have_groups(v, &v.devices[dev]):
            reach(v, EVENT_FLUSH_UNLISTED)
        flush_rings(v, device_queue(v, dev))
    return ENODEV


cdef int flush_busy(view *v, uint32_t dev) noexcept nogil:
    """v4 of the series: a flag delays the removal during a flush; the first of two flushers clears it for both."""
    cdef device *d = &v.devices[dev]
    cdef uint64_t param
    mutex_lock(v.self, &d.param_lock, QUEUE_FLUSH_DEV)
    param = d.iopf_param
    write32(v.self, &d.busy, 1, QUEUE_FLUSH_DEV)
    mutex_unlock(v.self, &d.param_lock, QUEUE_FLUSH_DEV)
    if param == 0:
        return ENODEV
    flush_rings(v, d.queue - 1 if d.queue != 0 else 0)
    pool_deref(v.self, v.pools[POOL_PARAM], param, QUEUE_FLUSH_DEV)
    point(v.self, QUEUE_FLUSH_DEV << 8 | OP_FIELD_WRITE, &d.busy, ACC_WRITE)
    st32_rel(&d.busy, 0)
    return 0


cdef int flush_under_lock(view *v, uint32_t dev) noexcept nogil:
    """v5.13 to v6.8: param_lock is held across the flush."""
    cdef device *d = &v.devices[dev]
    cdef uint32_t queue
    mutex_lock(v.self, &d.param_lock, QUEUE_FLUSH_DEV)
    queue = d.queue if d.iopf_param != 0 else 0
    if defect(v, DEFECT_FLUSH_HOLDS_LOCK_OF_HWQUEUE):
        ops_of(v).settle(v, dev)  # the callback that emptied the hardware queue under the lock that a report takes
    if queue != 0:
        flush_rings(v, queue - 1)
    mutex_unlock(v.self, &d.param_lock, QUEUE_FLUSH_DEV)
    return 0 if queue != 0 else flush_unlisted(v, dev)


cdef int flush_counted(view *v, uint32_t dev) noexcept nogil:
    """v6.9 and later: no lock, a reference to the object."""
    cdef uint32_t queue = read32(v.self, &v.devices[dev].queue, QUEUE_FLUSH_DEV)
    cdef fault_param *param = iopf_get_dev_fault_param(v, dev)
    if param == NULL:
        if not flow_of(v).made_by_fault:
            warn(v, WARN_IOPF_QUEUE_FLUSH_DEV)
        return flush_unlisted(v, dev)
    if flow_of(v).made_by_fault:
        queue = device_queue(v, dev) + 1  # nothing was added to a queue; the work of the device goes there all the same
    if queue != 0:
        flush_rings(v, queue - 1)
    iopf_put_dev_fault_param(v, param)
    return 0


cdef int iopf_queue_flush_dev(view *v, uint32_t dev) noexcept nogil:
    """Waits until every group queued before the call is done, whatever its device; 0, -ENODEV."""
    reach(v, EVENT_FLUSH)
    if defect(v, DEFECT_BUSY_FLAG_TWO_FLUSHERS):
        return flush_busy(v, dev)
    return flow_of(v).flush(v, dev)


cdef void discard_unlisted(view *v, uint32_t queue) noexcept nogil:
    """gunthorpe: the objects of the queue's devices are on no list, since the first fault makes them."""
    cdef fault_param *param
    cdef uint32_t dev
    for dev in range(v.cfg.devices):
        param = iopf_get_dev_fault_param(v, dev) if device_queue(v, dev) == queue else NULL
        if param == NULL:
            continue
        mutex_lock(v.self, &param.lock, QUEUE_DISCARD_PARTIAL)
        free_partials(v, param, ALL_GROUPS, 0, FATE_DISCARDED, QUEUE_DISCARD_PARTIAL)
        mutex_unlock(v.self, &param.lock, QUEUE_DISCARD_PARTIAL)
        iopf_put_dev_fault_param(v, param)


cdef int iopf_queue_discard_partial(view *v, uint32_t queue) noexcept nogil:
    """After an overflow: every half-collected group of every device of the queue is forgotten without an answer; 0, -EINVAL."""
    cdef uint32_t at, n = 0
    cdef iopf_queue *q
    cdef objhdr *node
    cdef fault_param *param
    if queue >= v.cfg.queues or not queue_at(v, queue).used:
        return EINVAL
    q = queue_at(v, queue)
    mutex_lock(v.self, &q.lock, QUEUE_DISCARD_PARTIAL)
    at = q.devices.first
    while n <= MAX_DEVICES:
        node = list_node(v.self, v.pools[POOL_PARAM], &q.devices, at, QUEUE_DISCARD_PARTIAL)
        if node == NULL:
            break
        at = node.next
        param = <fault_param *>node
        if not defect(v, DEFECT_DISCARD_PARTIAL_UNLOCKED):
            mutex_lock(v.self, &param.lock, QUEUE_DISCARD_PARTIAL)
        free_partials(v, param, ALL_GROUPS, 0, FATE_DISCARDED, QUEUE_DISCARD_PARTIAL)
        if not defect(v, DEFECT_DISCARD_PARTIAL_UNLOCKED):
            mutex_unlock(v.self, &param.lock, QUEUE_DISCARD_PARTIAL)
        n += 1
    if flow_of(v).made_by_fault:
        discard_unlisted(v, queue)
    q.discards += 1
    mutex_unlock(v.self, &q.lock, QUEUE_DISCARD_PARTIAL)
    return 0
