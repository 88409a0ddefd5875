# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Groups. Objects, owners and lock order: see ``group.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.domain cimport domain_of, domain_unpend
from iopf.emulator.kernel.core.fault_param cimport iopf_put_dev_fault_param
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.partials cimport *
from iopf.emulator.kernel.core.response cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_DOMAIN, POOL_FAULT, POOL_GROUP, POOL_PARAM
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.ledger cimport *
from iopf.emulator.board.objects cimport fault_param, iommu_domain, iopf_group
from iopf.emulator.spec.program cimport DOMAIN_FAULT
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *

cdef uint32_t abort_without_group(view *v, fault_param *param, iommu_fault *fault, uint32_t code) noexcept nogil:
    """No memory for the group: its partials go and one answer is sent (in Linux: a group on the stack, since v6.9). Returns
    how many partials it had."""
    cdef uint32_t dev = param.device, n
    mutex_lock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    n = 0
    if not defect(v, DEFECT_PARTIAL_STUCK_AFTER_GROUP_ENOMEM):
        n = free_partials(v, param, fault.grpid, 0, FATE_ANSWERED, IOPF_GROUP_ALLOC)
    if code == IOMMU_PAGE_RESP_FAILURE:
        xadd64_rlx(&v.devices[dev].kern.answered_failure, n + 1)
    else:
        xadd64_rlx(&v.devices[dev].kern.answered_ok, n + 1)
    kern_fate(v, fault, FATE_ANSWERED)
    respond(v, fault, code)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    return n


cdef iopf_group *iopf_group_alloc(view *v, fault_param *param, iommu_fault *fault, bint pend) noexcept nogil:
    """The group of a last request with its partials; since v6.9 pending on the fault_param. NULL without memory."""
    cdef iopf_group *group = <iopf_group *>pool_alloc(v.self, v.pools[POOL_GROUP], IOPF_GROUP_ALLOC)
    if group == NULL:
        return NULL
    group.last = fault[0]
    group.device = param.device
    group.fault_param = pool_ref(v.pools[POOL_PARAM], &param.hdr)
    group.faults.id = LIST_GROUP
    mutex_lock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    if pend:
        group.pending = 1
        list_add_tail(v.self, v.pools[POOL_GROUP], &param.faults, &group.hdr, IOPF_GROUP_ALLOC)
    collect_partials(v, param, group)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_ALLOC)
    write64(v.self, &v.devices[param.device].kern.groups, v.devices[param.device].kern.groups + 1, IOPF_GROUP_ALLOC)
    return group


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


cdef bint with_user(view *v, iopf_group *group) noexcept nogil:
    """Whether the group belongs to user space: its domain delivers to a fault object."""
    cdef iommu_domain *domain = domain_of(v, read64(v.self, &group.domain, IOPF_GROUP_RESPONSE), IOPF_GROUP_RESPONSE)
    return domain != NULL and domain.kind == DOMAIN_FAULT


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
        if group.answered or (domain_ref != 0 and read64(v.self, &group.domain, IOPF_GROUP_RESPONSE) != domain_ref):
            continue
        group.answered = 1
        if domain_ref == 0:
            reach(v, EVENT_REMOVE_DELIVERED if with_user(v, group) else EVENT_REMOVE_PENDING)
        elif with_user(v, group):
            reach(v, EVENT_UNBIND_USER)
        count_answer(v, group, IOMMU_PAGE_RESP_SUCCESS)
        respond(v, &group.last, IOMMU_PAGE_RESP_SUCCESS)
        add64(v.self, &v.devices[param.device].kern.groups_settled, 1, IOPF_GROUP_RESPONSE)
    free_partials(v, param, ALL_GROUPS, pasid1, FATE_ACKNOWLEDGED, IOPF_GROUP_RESPONSE)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_RESPONSE)


cdef void iopf_free_group(view *v, iopf_group *group, uint32_t site) noexcept nogil:
    """Frees the copies of the group's requests, gives its reference to the fault_param back, frees it."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef fault_param *param = NULL
    cdef iommu_domain *domain
    cdef objhdr *node
    cdef uint32_t n = 0
    if not pool_held(v.self, v.pools[POOL_GROUP], &group.hdr, site):
        return
    while n <= p.capacity:
        node = list_node(v.self, p, &group.faults, group.faults.first, IOPF_FREE_GROUP)
        if node == NULL:
            break
        list_del(v.self, p, &group.faults, node, IOPF_FREE_GROUP)
        pool_free(v.self, p, node, IOPF_FREE_GROUP)
        n += 1
    if not flow_of(v).registers_handler:
        param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], group.fault_param, IOPF_FREE_GROUP)
    if group.answered == ANSWERED_CONTAINED:
        add32(v.self, &v.devices[group.device].contained, <uint32_t>-1, IOPF_GROUP_RESPONSE)
    if param != NULL and group.pending:
        # A generation that frees what is still pending would leave a freed node on the list.
        iopf_group_dequeue(v, group)
    if flow_of(v).counts_domain and group.domain != 0:
        domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], group.domain, IOPF_FREE_GROUP)
        if domain != NULL:
            domain_unpend(v, domain, IOPF_GROUP_RESPONSE)
    pool_free(v.self, v.pools[POOL_GROUP], &group.hdr, site)
    if param != NULL:
        iopf_put_dev_fault_param(v, param)
