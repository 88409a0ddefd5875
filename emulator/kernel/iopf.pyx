# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Partial faults, groups and their answers. Objects, owners and lock order stand in ``iopf.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.mutex cimport *
from cython_ext.pool cimport *
from emulator.kernel.fault_param cimport iopf_put_dev_fault_param
from emulator.kernel.qi cimport qi_page_grp_resp
from emulator.spec.board cimport *
from emulator.spec.sites cimport *
from emulator.spec.vtd cimport *

cdef enum:
    ENOMEM = -12
    LIST_PARTIAL = 1


cdef void kern_fate(view *v, uint32_t dev, uint64_t qw1, uint64_t uid, uint32_t fate) noexcept nogil:
    """Notes what the kernel did with a request, unless a later request has taken the entry over already."""
    cdef uint32_t *entry
    cdef uint32_t word
    if uid == NO_UID:
        return
    entry = ledger(v, OFF_LEDGER_KERNEL, dev, prq_prgi(qw1), uid)
    word = ledger_word(uid, fate)
    if ((word >> 8) - (ld32_rlx(entry) >> 8)) & 0xFFFFFF < 0x800000:
        st32_rel(entry, word)


cdef void respond_event(view *v, uint32_t dev, fault_event *evt, uint32_t code) noexcept nogil:
    """A response without any record of the request."""
    qi_page_grp_resp(v, unit_of(v, dev), prq_rid(evt.qw0), prq_pasid(evt.qw0), prq_pasid_present(evt.qw0), prq_prgi(evt.qw1), code)


cdef listhead *partial_list(view *v, fault_param *param, uint32_t prgi) noexcept nogil:
    """Where the partials of a group index hang: one list per device, as in Linux, or one per index (OPTION_GROUP_LISTS)."""
    cdef listhead *lists
    if not v.cfg.options & OPTION_GROUP_LISTS:
        return &param.partial
    lists = <listhead *>view_region(v, OFF_PARTIAL_LISTS) + <uint64_t>param.device * 512 + (prgi & 511)
    lists.id = LIST_PARTIAL
    return lists


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
    list_add_tail(v.self, v.pools[POOL_FAULT], partial_list(v, param, prq_prgi(evt.qw1)), &fault.hdr, REPORT_PARTIAL_FAULT)
    mutex_unlock(v.self, &param.lock, REPORT_PARTIAL_FAULT)
    kern.partial_added += 1
    return 0


cdef void collect_partials(view *v, fault_param *param, iopf_group *group) noexcept nogil:
    """Moves the partials of the group's index, in order of arrival. Matching is by group index alone, as in Linux."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef uint32_t prgi = prq_prgi(group.last.qw1), moved = 0, seen = 0
    cdef listhead *lists = partial_list(v, param, prgi)
    cdef uint32_t at = lists.first
    cdef objhdr *node
    while seen <= p.capacity:
        node = list_node(v.self, p, lists, at, IOPF_GROUP_ALLOC)
        if node == NULL:
            break
        at = node.next
        seen += 1
        if prq_prgi((<iopf_fault *>node).evt.qw1) == prgi:
            list_del(v.self, p, lists, node, IOPF_GROUP_ALLOC)
            list_add_tail(v.self, p, &group.faults, node, IOPF_GROUP_ALLOC)
            moved += 1
    group.fault_count = moved + 1
    v.devices[param.device].kern.partial_moved += moved


cdef void count_partial_fate(view *v, uint32_t dev, uint32_t fate, uint32_t n) noexcept nogil:
    cdef kernside *kern = &v.devices[dev].kern
    if fate == FATE_DISCARDED:
        kern.discarded += n
    elif fate == FATE_NOMEM:
        kern.partial_moved += n
        kern.dropped_nomem += n
    elif fate == FATE_ANSWERED:
        kern.partial_moved += n  # with their last; the caller counts the answer
    elif fate == FATE_ACKNOWLEDGED:
        xadd64_rlx(&kern.acknowledged, n)
    else:
        xadd64_rlx(&kern.freed, n)


cdef uint32_t free_partial_list(view *v, uint32_t dev, listhead *lists, uint32_t prgi, uint32_t pasid1, uint32_t fate,
                                uint32_t site) noexcept nogil:
    """Acknowledging answers Success for every group index once; its device asks again for what is still absent."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef uint64_t answered[8]
    cdef uint32_t n = 0, seen = 0, at = lists.first, index
    cdef objhdr *node
    cdef fault_event *evt
    for index in range(8):
        answered[index] = 0
    while seen <= p.capacity:
        node = list_node(v.self, p, lists, at, site)
        if node == NULL:
            break
        at = node.next
        seen += 1
        evt = &(<iopf_fault *>node).evt
        index = prq_prgi(evt.qw1)
        if (prgi != ALL_GROUPS and index != prgi) or (pasid1 != 0 and prq_pasid(evt.qw0) + 1 != pasid1):
            continue
        list_del(v.self, p, lists, node, site)
        kern_fate(v, dev, evt.qw1, evt.uid, fate)
        if fate == FATE_ACKNOWLEDGED and not answered[index >> 6] >> (index & 63) & 1:
            answered[index >> 6] |= <uint64_t>1 << (index & 63)
            respond_event(v, dev, evt, RESP_SUCCESS)
        pool_free(v.self, p, node, site)
        n += 1
    return n


cdef uint32_t free_partials(view *v, fault_param *param, uint32_t prgi, uint32_t pasid1, uint32_t fate, uint32_t site) noexcept nogil:
    """Frees the partials of one group index, or of ALL_GROUPS, of a device, and of one PASID (+ 1; 0: of all); returns how many.

    Caller holds fault_param.lock."""
    cdef uint32_t n = 0, i
    if not v.cfg.options & OPTION_GROUP_LISTS or prgi != ALL_GROUPS:
        n = free_partial_list(v, param.device, partial_list(v, param, prgi & 511), prgi, pasid1, fate, site)
    else:
        for i in range(512):
            n += free_partial_list(v, param.device, partial_list(v, param, i), ALL_GROUPS, pasid1, fate, site)
    if n:
        count_partial_fate(v, param.device, fate, n)
    return n


cdef void abort_without_group(view *v, fault_param *param, fault_event *evt, uint32_t code) noexcept nogil:
    """No memory for the group: its partials go and one answer is sent (in Linux: a group on the stack, since v6.9)."""
    cdef uint32_t dev = param.device, n
    mutex_lock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    n = free_partials(v, param, prq_prgi(evt.qw1), 0, FATE_ANSWERED, IOPF_GROUP_ALLOC)
    if code == RESP_FAILURE:
        xadd64_rlx(&v.devices[dev].kern.answered_failure, n + 1)
    else:
        xadd64_rlx(&v.devices[dev].kern.answered_ok, n + 1)
    kern_fate(v, dev, evt.qw1, evt.uid, FATE_ANSWERED)
    respond_event(v, dev, evt, code)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_ALLOC)


cdef iopf_group *iopf_group_alloc(view *v, fault_param *param, fault_event *evt, bint pend) noexcept nogil:
    """The group of a last request with its partials; since v6.9 pending on the fault_param. NULL without memory."""
    cdef iopf_group *group = <iopf_group *>pool_alloc(v.self, v.pools[POOL_GROUP], IOPF_GROUP_ALLOC)
    if group == NULL:
        return NULL
    group.last = evt[0]
    group.device = param.device
    group.fault_param = pool_ref(v.pools[POOL_PARAM], &param.hdr)
    group.faults.id = LIST_GROUP
    mutex_lock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    if pend:
        group.pending = 1
        list_add_tail(v.self, v.pools[POOL_GROUP], &param.faults, &group.hdr, IOPF_GROUP_ALLOC)
    collect_partials(v, param, group)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    v.devices[param.device].kern.groups += 1
    return group


cdef void count_answer(view *v, iopf_group *group, uint32_t code) noexcept nogil:
    """The books of an answer. They are written before the command: once it is in the queue the device may look."""
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


cdef bint response_allowed(view *v, iopf_group *group) noexcept nogil:
    """Whether a response acts, by generation. Caller holds fault_param.lock."""
    if v.cfg.generation == GEN_GUNTHORPE:
        return not group.answered
    if v.cfg.generation < GEN_V7_2:
        return group.pending != 0
    if group.answered:
        verdict_raise(v.self, VERDICT_DOUBLE_ANSWER, POOL_GROUP, pool_ref(v.pools[POOL_GROUP], &group.hdr), uid_number(group.last.uid),
                      0, group.device, IOPF_GROUP_RESPONSE)
    return True


cdef void iopf_group_response(view *v, iopf_group *group, uint32_t code) noexcept nogil:
    """Answers a group, under fault_param.lock across the driver's page_response; takes it off the pending list."""
    cdef fault_param *param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], group.fault_param, IOPF_GROUP_RESPONSE)
    if param == NULL:
        return
    mutex_lock(v.self, &param.lock, IOPF_GROUP_RESPONSE)
    if response_allowed(v, group):
        group.answered = 1
        count_answer(v, group, code)
        respond_event(v, group.device, &group.last, code)
        xadd64_rlx(&v.devices[param.device].kern.groups_settled, 1)
    if group.pending:
        group.pending = 0
        list_del(v.self, v.pools[POOL_GROUP], &param.faults, &group.hdr, IOPF_GROUP_RESPONSE)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_RESPONSE)


cdef void iopf_group_dequeue(view *v, iopf_group *group) noexcept nogil:
    """Takes a group off the pending list without an answer: the caller becomes its only owner (738e6f32e61d)."""
    cdef fault_param *param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], group.fault_param, IOPF_GROUP_RESPONSE)
    if param == NULL:
        return
    mutex_lock(v.self, &param.lock, IOPF_GROUP_RESPONSE)
    if group.pending:
        group.pending = 0
        list_del(v.self, v.pools[POOL_GROUP], &param.faults, &group.hdr, IOPF_GROUP_RESPONSE)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_RESPONSE)


cdef void acknowledge_pending(view *v, fault_param *param, uint64_t domain_ref, uint32_t pasid1) noexcept nogil:
    """gunthorpe: answers Success to the pending groups of a domain (0: of all) and marks them; their work goes on and its response
    does nothing. The partials of the PASID (+ 1; 0: of all) are acknowledged with them."""
    cdef pool *p = v.pools[POOL_GROUP]
    cdef iopf_group *group
    cdef objhdr *node
    cdef uint32_t at, seen = 0
    mutex_lock(v.self, &param.lock, IOPF_GROUP_RESPONSE)
    at = param.faults.first
    while seen <= p.capacity:
        node = list_node(v.self, p, &param.faults, at, IOPF_GROUP_RESPONSE)
        if node == NULL:
            break
        at = node.next
        seen += 1
        group = <iopf_group *>node
        if group.answered or (domain_ref != 0 and group.domain != domain_ref):
            continue
        group.answered = 1
        reach(v, EVENT_ACKNOWLEDGED)
        count_answer(v, group, RESP_SUCCESS)
        respond_event(v, group.device, &group.last, RESP_SUCCESS)
        xadd64_rlx(&v.devices[param.device].kern.groups_settled, 1)
    free_partials(v, param, ALL_GROUPS, pasid1, FATE_ACKNOWLEDGED, IOPF_GROUP_RESPONSE)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_RESPONSE)


cdef void iopf_free_group(view *v, iopf_group *group) noexcept nogil:
    """Frees the copies of the group's requests, gives its reference to the fault_param back, frees it."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef fault_param *param = NULL
    cdef iommu_domain *domain
    cdef objhdr *node
    cdef uint32_t n = 0
    while n <= p.capacity:
        node = list_node(v.self, p, &group.faults, group.faults.first, IOPF_FREE_GROUP)
        if node == NULL:
            break
        list_del(v.self, p, &group.faults, node, IOPF_FREE_GROUP)
        pool_free(v.self, p, node, IOPF_FREE_GROUP)
        n += 1
    if v.cfg.generation >= GEN_V6_9:
        param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], group.fault_param, IOPF_FREE_GROUP)
    if param != NULL and group.pending:
        # A generation that frees what is still pending would leave a freed node on the list.
        iopf_group_dequeue(v, group)
    if v.cfg.generation == GEN_GUNTHORPE and group.domain != 0:
        domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], group.domain, IOPF_FREE_GROUP)
        if domain != NULL:
            xadd32(&domain.pending, <uint32_t>-1)  # partner: the acquire load of whoever frees the domain
    pool_free(v.self, v.pools[POOL_GROUP], &group.hdr, IOPF_FREE_GROUP)
    if param != NULL:
        iopf_put_dev_fault_param(v, param)
