# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Partial faults. Owners and locks: see ``partials.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.response cimport kern_fate, respond
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.spec.classes cimport POOL_FAULT
from iopf.emulator.board.config cimport OPTION_GROUP_LISTS, OPTION_MATCH_PASID
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.devices cimport kernside
from iopf.emulator.board.layout cimport OFF_PARTIAL_LISTS
from iopf.emulator.board.ledger cimport *
from iopf.emulator.board.objects cimport fault_param, iopf_fault, iopf_group
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.errno cimport ENOMEM

cdef enum:
    LIST_PARTIAL = 1
    GRPIDS = 512             # group indices of a device


cdef listhead *partial_list(view *v, fault_param *param, uint32_t prgi) noexcept nogil:
    """Where the partials of a group index hang: one list per device, as in Linux, or one per index (OPTION_GROUP_LISTS)."""
    cdef listhead *lists
    if not v.cfg.options & OPTION_GROUP_LISTS:
        return &param.partial
    lists = <listhead *>view_region(v, OFF_PARTIAL_LISTS) + <uint64_t>param.device * GRPIDS + (prgi & (GRPIDS - 1))
    lists.id = LIST_PARTIAL
    return lists


cdef int report_partial_fault(view *v, fault_param *param, iommu_fault *fault) noexcept nogil:
    """Keeps a copy of a non-last request until its group is complete; 0 or -ENOMEM. A non-last needs no answer."""
    cdef iopf_fault *copy = <iopf_fault *>pool_alloc(v.self, v.pools[POOL_FAULT], REPORT_PARTIAL_FAULT)
    cdef kernside *kern = &v.devices[param.device].kern
    if copy == NULL:
        kern.dropped_nomem += 1
        reach(v, EVENT_PARTIAL_NOMEM)
        kern_fate(v, fault, FATE_NOMEM)
        return ENOMEM
    copy.fault = fault[0]
    mutex_lock(v.self, &param.lock, REPORT_PARTIAL_FAULT)
    list_add_tail(v.self, v.pools[POOL_FAULT], partial_list(v, param, fault.grpid), &copy.hdr, REPORT_PARTIAL_FAULT)
    mutex_unlock(v.self, &param.lock, REPORT_PARTIAL_FAULT)
    kern.partial_added += 1
    return 0


cdef bint of_group(view *v, iopf_group *group, iopf_fault *fault) noexcept nogil:
    """OPTION_MATCH_PASID: what another address space has left under the index is no part of the group."""
    return not v.cfg.options & OPTION_MATCH_PASID or fault_same_pasid(&fault.fault, &group.last)


cdef void check_partial(view *v, iopf_group *group, iopf_fault *fault) noexcept nogil:
    """In a controlled run the number of a request says which group it is of, so that one that an older group with the same index has
    left behind shows."""
    cdef uint64_t mine = fault.fault.uid, last = group.last.uid
    if v.cfg.controlled == 0 or mine == NO_UID or last == NO_UID:
        return
    if <uint32_t>(mine >> 32) & 0xFFFFFF != <uint32_t>(last >> 32) & 0xFFFFFF:
        verdict_raise(v.self, VERDICT_STALE_PARTIAL, POOL_FAULT, <uint32_t>mine, <uint32_t>last, 0, group.device, IOPF_GROUP_ALLOC)


cdef void collect_partials(view *v, fault_param *param, iopf_group *group) noexcept nogil:
    """Moves the partials of the group's index, in order of arrival. Matching is by group index alone, as in Linux."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef uint32_t prgi = group.last.grpid, moved = 0, seen = 0
    cdef listhead *lists = partial_list(v, param, prgi)
    cdef uint32_t at = lists.first
    cdef objhdr *node
    while seen <= p.capacity:
        node = list_node(v.self, p, lists, at, IOPF_GROUP_ALLOC)
        if node == NULL:
            break
        at = node.next
        seen += 1
        if (<iopf_fault *>node).fault.grpid == prgi and of_group(v, group, <iopf_fault *>node):
            check_partial(v, group, <iopf_fault *>node)
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
    cdef iommu_fault *fault
    for index in range(8):
        answered[index] = 0
    while seen <= p.capacity:
        node = list_node(v.self, p, lists, at, site)
        if node == NULL:
            break
        at = node.next
        seen += 1
        fault = &(<iopf_fault *>node).fault
        index = fault.grpid & (GRPIDS - 1)
        if (prgi != ALL_GROUPS and index != prgi) or (pasid1 != 0 and fault.pasid + 1 != pasid1):
            continue
        if fate != FATE_DISCARDED or not defect(v, DEFECT_DISCARD_FREES_LINKED):
            list_del(v.self, p, lists, node, site)
        kern_fate(v, fault, fate)
        if fate == FATE_ACKNOWLEDGED and not answered[index >> 6] >> (index & 63) & 1:
            answered[index >> 6] |= <uint64_t>1 << (index & 63)
            respond(v, fault, IOMMU_PAGE_RESP_SUCCESS)
        pool_free(v.self, p, node, site)
        n += 1
    return n


cdef uint32_t free_partials(view *v, fault_param *param, uint32_t prgi, uint32_t pasid1, uint32_t fate, uint32_t site) noexcept nogil:
    """Frees the partials of one group index, or of ALL_GROUPS, of a device, and of one PASID (+ 1; 0: of all); returns how many.

    Caller holds fault_param.lock."""
    cdef uint32_t n = 0, i
    if not v.cfg.options & OPTION_GROUP_LISTS or prgi != ALL_GROUPS:
        n = free_partial_list(v, param.device, partial_list(v, param, prgi), prgi, pasid1, fate, site)
    else:
        for i in range(GRPIDS):
            n += free_partial_list(v, param.device, partial_list(v, param, i), ALL_GROUPS, pasid1, fate, site)
    if n:
        count_partial_fate(v, param.device, fate, n)
    return n
