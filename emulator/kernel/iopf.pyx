# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Reporting faults, assembling groups, answering them. Objects, owners and lock order stand in ``iopf.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.mutex cimport *
from cython_ext.pool cimport *
from cython_ext.rcu cimport *
from cython_ext.refcount cimport *
from cython_ext.wait cimport *
from cython_ext.work_ring cimport *
from emulator.kernel.qi cimport qi_page_grp_resp
from emulator.spec.board cimport *
from emulator.spec.sites cimport *
from emulator.spec.vtd cimport *

cdef enum:
    EINVAL = -22
    ENOMEM = -12
    EBUSY = -16
    WORK_RING_FULL = 4           # actor.work of the IRQ thread: tries that found the work ring full
    LIST_PARTIAL = 1
    LIST_PENDING = 2
    LIST_GROUP = 3


cdef void kern_fate(view *v, uint32_t dev, uint64_t qw1, uint64_t uid, uint32_t fate) noexcept nogil:
    """Notes what the kernel did with a request, unless a later request has taken the entry over already."""
    cdef uint32_t *entry = ledger(v, OFF_LEDGER_KERNEL, dev, prq_prgi(qw1), uid)
    cdef uint32_t word = ledger_word(uid, fate)
    if ((word >> 8) - (ld32_rlx(entry) >> 8)) & 0xFFFFFF < 0x800000:
        st32_rel(entry, word)


cdef fault_param *iopf_get_dev_fault_param(view *v, uint32_t dev) noexcept nogil:
    """A counted reference to the device's fault_param, or NULL when it is on no queue."""
    cdef fault_param *param
    cdef uint64_t ref
    rcu_read_lock(v.self, GET_DEV_FAULT_PARAM)
    point(v.self, GET_DEV_FAULT_PARAM << 8 | OP_FIELD_READ, &v.devices[dev].fault_param, ACC_READ)
    ref = ld64_acq(&v.devices[dev].fault_param)
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], ref, GET_DEV_FAULT_PARAM) if ref else NULL
    if param != NULL and not ref_get_not_zero(v.self, &param.users, GET_DEV_FAULT_PARAM):
        param = NULL
    rcu_read_unlock(v.self, GET_DEV_FAULT_PARAM)
    return param


cdef void iopf_put_dev_fault_param(view *v, fault_param *param) noexcept nogil:
    """The last put hands the object to a grace period (kfree_rcu): it stays readable for those who still look."""
    cdef uint64_t word
    cdef uint32_t index1
    if not ref_put(v.self, &param.users, PUT_DEV_FAULT_PARAM):
        return
    param.rcu_epoch = rcu_start(v.self)
    index1 = ref_index(pool_ref(v.pools[POOL_PARAM], &param.hdr)) + 1
    while True:
        word = ld64_acq(&v.board.rcu_retired)
        param.hdr.free_next = <uint32_t>word
        if cas64(&v.board.rcu_retired, word, ((word >> 32) + 1) << 32 | index1):
            return


cdef void rcu_reap(view *v) noexcept nogil:
    """Frees the retired objects whose grace period is over; the others wait on."""
    cdef pool *p = v.pools[POOL_PARAM]
    cdef fault_param *param
    cdef uint64_t word
    cdef uint32_t at, following
    word = ld64_acq(&v.board.rcu_retired)
    if <uint32_t>word == 0 or not cas64(&v.board.rcu_retired, word, ((word >> 32) + 1) << 32):
        return
    at = <uint32_t>word
    while 0 < at <= p.capacity:
        param = <fault_param *>pool_slot(p, at - 1)
        following = param.hdr.free_next
        if rcu_passed(v.self, param.rcu_epoch):
            pool_free(v.self, p, &param.hdr, PUT_DEV_FAULT_PARAM)
        else:
            while True:
                word = ld64_acq(&v.board.rcu_retired)
                param.hdr.free_next = <uint32_t>word
                if cas64(&v.board.rcu_retired, word, ((word >> 32) + 1) << 32 | at):
                    break
        at = following


cdef uint64_t find_fault_handler(view *v, uint32_t dev, fault_event *evt) noexcept nogil:
    """The attach handle for the fault's PASID, or 0. A fault without PASID has none here: no RID domain takes faults."""
    cdef uint32_t pasid = prq_pasid(evt.qw0)
    cdef uint64_t *slot
    if not prq_pasid_present(evt.qw0) or pasid == 0 or pasid >= v.cfg.max_pasids:
        return 0
    slot = &pasid_array(v, dev)[pasid]
    point(v.self, FIND_FAULT_HANDLER << 8 | OP_FIELD_READ, slot, ACC_READ)
    return ld64_acq(slot)


cdef void iopf_error_response(view *v, uint32_t dev, fault_event *evt) noexcept nogil:
    """Answers INVALID without any record; since v6.11 for a request that is not the last as well (b58b133e680b)."""
    # The books first: once the command is in the queue the device may look.
    v.devices[dev].kern.rejected += 1
    kern_fate(v, dev, evt.qw1, evt.uid, FATE_REJECTED)
    qi_page_grp_resp(v, prq_rid(evt.qw0), prq_pasid(evt.qw0), prq_pasid_present(evt.qw0), prq_prgi(evt.qw1), RESP_INVALID)


cdef int report_partial_fault(view *v, fault_param *param, fault_event *evt) noexcept nogil:
    """Keeps a copy of a non-last request until its group is complete; 0 or -ENOMEM. A non-last needs no answer."""
    cdef iopf_fault *fault = <iopf_fault *>pool_alloc(v.self, v.pools[POOL_FAULT], REPORT_PARTIAL_FAULT)
    cdef kernside *kern = &v.devices[param.device].kern
    if fault == NULL:
        kern.dropped_nomem += 1
        kern_fate(v, param.device, evt.qw1, evt.uid, FATE_NOMEM)
        return ENOMEM
    fault.evt = evt[0]
    mutex_lock(v.self, &param.lock, REPORT_PARTIAL_FAULT)
    list_add_tail(v.self, v.pools[POOL_FAULT], &param.partial, &fault.hdr, REPORT_PARTIAL_FAULT)
    mutex_unlock(v.self, &param.lock, REPORT_PARTIAL_FAULT)
    kern.partial_added += 1
    return 0


cdef void collect_partials(view *v, fault_param *param, iopf_group *group) noexcept nogil:
    """Moves the partials of the group's index, in order of arrival. Matching is by group index alone, as in Linux."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef uint32_t prgi = prq_prgi(group.last.qw1), at = param.partial.first, moved = 0
    cdef objhdr *node
    while moved <= p.capacity:
        node = list_node(v.self, p, &param.partial, at, IOPF_GROUP_ALLOC)
        if node == NULL:
            break
        at = node.next
        if prq_prgi((<iopf_fault *>node).evt.qw1) == prgi:
            list_del(v.self, p, &param.partial, node, IOPF_GROUP_ALLOC)
            list_add_tail(v.self, p, &group.faults, node, IOPF_GROUP_ALLOC)
            moved += 1
    group.fault_count = moved + 1
    v.devices[param.device].kern.partial_moved += moved


cdef void abort_without_group(view *v, fault_param *param, fault_event *evt) noexcept nogil:
    """No memory for the group: its partials go, FAILURE is sent (in Linux: a group on the stack, since v6.9)."""
    cdef iopf_group group
    cdef objhdr *node
    cdef uint32_t dev = param.device
    group.last = evt[0]
    group.faults.first = group.faults.last = group.faults.count = 0
    group.faults.id = LIST_GROUP
    mutex_lock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    collect_partials(v, param, &group)
    xadd64_rlx(&v.devices[dev].kern.answered_failure, group.fault_count)
    kern_fate(v, dev, evt.qw1, evt.uid, FATE_ANSWERED)
    while True:
        node = list_node(v.self, v.pools[POOL_FAULT], &group.faults, group.faults.first, IOPF_GROUP_ALLOC)
        if node == NULL:
            break
        list_del(v.self, v.pools[POOL_FAULT], &group.faults, node, IOPF_GROUP_ALLOC)
        kern_fate(v, dev, (<iopf_fault *>node).evt.qw1, (<iopf_fault *>node).evt.uid, FATE_ANSWERED)
        pool_free(v.self, v.pools[POOL_FAULT], node, IOPF_GROUP_ALLOC)
    qi_page_grp_resp(v, prq_rid(evt.qw0), prq_pasid(evt.qw0), prq_pasid_present(evt.qw0), prq_prgi(evt.qw1), RESP_FAILURE)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_ALLOC)


cdef iopf_group *iopf_group_alloc(view *v, fault_param *param, fault_event *evt) noexcept nogil:
    """The group of a last request: pending on the fault_param, with its partials; NULL without memory."""
    cdef iopf_group *group = <iopf_group *>pool_alloc(v.self, v.pools[POOL_GROUP], IOPF_GROUP_ALLOC)
    if group == NULL:
        return NULL
    group.last = evt[0]
    group.device = param.device
    group.fault_param = pool_ref(v.pools[POOL_PARAM], &param.hdr)
    group.faults.id = LIST_GROUP
    mutex_lock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    group.pending = 1
    list_add_tail(v.self, v.pools[POOL_GROUP], &param.faults, &group.hdr, IOPF_GROUP_ALLOC)
    collect_partials(v, param, group)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    v.devices[param.device].kern.groups += 1
    return group


cdef int iommu_sva_iopf_handler(view *v, iopf_group *group) noexcept nogil:
    """Queues the group for a worker. Linux can always queue; here the ring is full when a worker has been held up for a whole
    lap, and the IRQ thread waits for it. Workers never wait for the IRQ thread, so they get on."""
    cdef uint64_t payload[2]
    cdef int ret
    cdef waiter w
    payload[0] = pool_ref(v.pools[POOL_GROUP], &group.hdr)
    group.queued_ticks = crew_ticks(v.crew)
    note_event(v, group.queued_ticks, SVA_IOPF_HANDLER, uid_number(group.last.uid), <uint64_t>group.device << 32 | group.fault_count)
    payload[1] = group.queued_ticks
    waiter_reset(&w)
    ret = work_push(v.self, v.work, payload, 2, SVA_IOPF_HANDLER)
    while ret == EBUSY and ld32_acq(&v.board.phase) < PHASE_ENDING:
        v.self.work[WORK_RING_FULL] += 1
        if not waiter_spin(v.self, &w):
            nap_ns(20000)
        ret = work_push(v.self, v.work, payload, 2, SVA_IOPF_HANDLER)
    if ret == 0:
        work_ring_bell(v.self, v.work, SVA_IOPF_HANDLER)
    return ret


cdef int iommu_report_device_fault(view *v, uint32_t dev, fault_event *evt) noexcept nogil:
    """One page request of a device, from the driver's IRQ thread: 0, -EINVAL, -ENOMEM.

    Handler first, then the fault_param, then the request itself: a non-last is set aside, a last becomes a group and goes to its handler.
    """
    cdef uint64_t handle = find_fault_handler(v, dev, evt)
    cdef fault_param *param
    cdef iopf_group *group
    cdef int ret
    if handle == 0:
        iopf_error_response(v, dev, evt)
        return EINVAL
    param = iopf_get_dev_fault_param(v, dev)
    if param == NULL:
        iopf_error_response(v, dev, evt)
        return EINVAL
    if not prq_last(evt.qw1):
        ret = report_partial_fault(v, param, evt)
        iopf_put_dev_fault_param(v, param)
        return ret
    group = iopf_group_alloc(v, param, evt)
    if group == NULL:
        abort_without_group(v, param, evt)
        iopf_put_dev_fault_param(v, param)
        return 0
    # The getter's reference is the group's from here on; iopf_free_group gives it back.
    group.handle = handle
    if iommu_sva_iopf_handler(v, group) != 0:
        iopf_group_response(v, group, RESP_FAILURE)
        iopf_free_group(v, group)
    return 0


cdef void count_answer(view *v, iopf_group *group, uint32_t code) noexcept nogil:
    cdef kernside *kern = &v.devices[group.device].kern
    cdef uint32_t at = group.faults.first, seen = 0
    cdef objhdr *node
    if code == RESP_SUCCESS:
        xadd64_rlx(&kern.answered_ok, group.fault_count)
    elif code == RESP_INVALID:
        xadd64_rlx(&kern.answered_invalid, group.fault_count)
    else:
        xadd64_rlx(&kern.answered_failure, group.fault_count)
    while seen < group.fault_count:
        node = list_node(v.self, v.pools[POOL_FAULT], &group.faults, at, IOPF_GROUP_RESPONSE)
        if node == NULL:
            break
        kern_fate(v, group.device, (<iopf_fault *>node).evt.qw1, (<iopf_fault *>node).evt.uid, FATE_ANSWERED)
        at = node.next
        seen += 1
    kern_fate(v, group.device, group.last.qw1, group.last.uid, FATE_ANSWERED)


cdef void iopf_group_response(view *v, iopf_group *group, uint32_t code) noexcept nogil:
    """Answers a group: exactly once, under fault_param.lock across the driver's page_response; takes it off the pending list."""
    cdef fault_param *param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], group.fault_param, IOPF_GROUP_RESPONSE)
    if param == NULL:
        return
    # The books are written first: once the command is in the queue the device may look.
    count_answer(v, group, code)
    mutex_lock(v.self, &param.lock, IOPF_GROUP_RESPONSE)
    if group.answered:
        verdict_raise(v.self, VERDICT_DOUBLE_ANSWER, POOL_GROUP, pool_ref(v.pools[POOL_GROUP], &group.hdr), uid_number(group.last.uid),
                      0, group.device, IOPF_GROUP_RESPONSE)
    group.answered = 1
    qi_page_grp_resp(v, prq_rid(group.last.qw0), prq_pasid(group.last.qw0), prq_pasid_present(group.last.qw0),
                     prq_prgi(group.last.qw1), code)
    if group.pending:
        group.pending = 0
        list_del(v.self, v.pools[POOL_GROUP], &param.faults, &group.hdr, IOPF_GROUP_RESPONSE)
        xadd64_rlx(&v.devices[param.device].kern.groups_settled, 1)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_RESPONSE)


cdef void iopf_free_group(view *v, iopf_group *group) noexcept nogil:
    """Frees the copies, gives the fault_param back, frees the group."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef fault_param *param
    cdef objhdr *node
    cdef uint32_t n = group.faults.count
    while n > 0:
        node = list_node(v.self, p, &group.faults, group.faults.first, IOPF_FREE_GROUP)
        if node == NULL:
            break
        list_del(v.self, p, &group.faults, node, IOPF_FREE_GROUP)
        pool_free(v.self, p, node, IOPF_FREE_GROUP)
        n -= 1
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], group.fault_param, IOPF_FREE_GROUP)
    pool_free(v.self, v.pools[POOL_GROUP], &group.hdr, IOPF_FREE_GROUP)
    if param != NULL:
        iopf_put_dev_fault_param(v, param)


cdef void free_partials(view *v, uint32_t dev, fault_param *param, uint32_t fate, uint32_t site) noexcept nogil:
    """Frees every partial of one device without an answer. Caller holds fault_param.lock."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef kernside *kern = &v.devices[dev].kern
    cdef objhdr *node
    cdef uint32_t n = 0
    while n <= p.capacity:
        node = list_node(v.self, p, &param.partial, param.partial.first, site)
        if node == NULL:
            break
        list_del(v.self, p, &param.partial, node, site)
        kern_fate(v, dev, (<iopf_fault *>node).evt.qw1, (<iopf_fault *>node).evt.uid, fate)
        pool_free(v.self, p, node, site)
        n += 1
    if n == 0:
        return
    if fate == FATE_DISCARDED:
        kern.discarded += n
    else:
        xadd64_rlx(&kern.freed, n)
