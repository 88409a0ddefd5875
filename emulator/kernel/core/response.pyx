# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Answers. Rules and writers: see ``response.pxd``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.board.board cimport note_step, view
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.devices cimport kernside
from iopf.emulator.board.layout cimport OFF_LEDGER_KERNEL
from iopf.emulator.board.ledger cimport *
from iopf.emulator.board.objects cimport fault_param, iopf_fault, iopf_group
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.iommu_ops cimport ops_of
from iopf.emulator.spec.classes cimport POOL_FAULT, POOL_GROUP, POOL_PARAM
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.sites cimport *


cdef void kern_fate(view *v, const iommu_fault *fault, uint32_t fate) noexcept nogil:
    """Notes what the kernel did with a request, unless a later request has taken the entry over already."""
    cdef uint32_t *entry
    cdef uint32_t word, dev = fault.device
    cdef uint64_t uid = fault.uid
    if uid == NO_UID or dev >= v.cfg.devices:
        return
    if fate != FATE_ANSWERED:  # a group's answer has an event of its own
        note_step(v, crew_ticks(v.crew), KERN_FATE, uid_number(uid), <uint64_t>dev << 32 | fate)
    entry = ledger(v, OFF_LEDGER_KERNEL, dev, fault.grpid, uid)
    word = ledger_word(uid, fate)
    if ((word >> 8) - (ld32_rlx(entry) >> 8)) & 0xFFFFFF < 0x800000:
        write32(v.self, entry, word, KERN_FATE)


cdef void respond(view *v, const iommu_fault *fault, uint32_t code) noexcept nogil:
    """Answers a request of which nothing else is recorded."""
    ops_of(v).page_response(v, fault, code)


cdef void count_answer(view *v, iopf_group *group, uint32_t code) noexcept nogil:
    """The books of an answer. They are written before the command: once it is in the queue the device may look."""
    cdef kernside *kern = &v.devices[group.device].kern
    cdef uint32_t at = group.faults.first, seen = 0
    cdef objhdr *node
    if code == IOMMU_PAGE_RESP_SUCCESS:
        xadd64_rlx(&kern.answered_ok, group.fault_count)
    elif code == IOMMU_PAGE_RESP_INVALID:
        xadd64_rlx(&kern.answered_invalid, group.fault_count)
    else:
        xadd64_rlx(&kern.answered_failure, group.fault_count)
    while seen < group.fault_count:
        node = list_node(v.self, v.pools[POOL_FAULT], &group.faults, at, IOPF_GROUP_RESPONSE)
        if node == NULL:
            break
        kern_fate(v, &(<iopf_fault *>node).fault, FATE_ANSWERED)
        at = node.next
        seen += 1
    kern_fate(v, &group.last, FATE_ANSWERED)


cdef bint while_pending(view *v, iopf_group *group) noexcept nogil:
    """v6.9 to v7.1."""
    if iopf_unlikely(group.answered >= ANSWERED_CONTAINED):
        return False
    return group.pending != 0 or (defect(v, DEFECT_ANSWERED_AFTER_REMOVAL) and always(v, group))


cdef bint always(view *v, iopf_group *group) noexcept nogil:
    """v7.2; a second response is a verdict."""
    if iopf_unlikely(group.answered >= ANSWERED_CONTAINED):
        return False
    if iopf_unlikely(group.answered != 0):
        verdict_raise(v.self, VERDICT_DOUBLE_ANSWER, POOL_GROUP, pool_ref(v.pools[POOL_GROUP], &group.hdr), uid_number(group.last.uid),
                      0, group.device, IOPF_GROUP_RESPONSE)
    return True


cdef bint unless_marked(view *v, iopf_group *group) noexcept nogil:
    """gunthorpe."""
    return not group.answered


cdef void group_response_locked(view *v, fault_param *param, iopf_group *group, uint32_t code) noexcept nogil:
    """Caller holds fault_param.lock."""
    if flow_of(v).may_respond(v, group):
        group.answered = 1
        count_answer(v, group, code)
        respond(v, &group.last, code)
        add64(v.self, &v.devices[param.device].kern.groups_settled, 1, IOPF_GROUP_RESPONSE)
    if group.pending:
        group.pending = 0
        list_del(v.self, v.pools[POOL_GROUP], &param.faults, &group.hdr, IOPF_GROUP_RESPONSE)


cdef void iopf_group_response(view *v, iopf_group *group, uint32_t code) noexcept nogil:
    """Answers a group, under fault_param.lock across the driver's page_response; takes it off the pending list."""
    cdef fault_param *param
    if not pool_held(v.self, v.pools[POOL_GROUP], &group.hdr, IOPF_GROUP_RESPONSE):
        return
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], group.fault_param, IOPF_GROUP_RESPONSE)
    if param == NULL:
        return
    mutex_lock(v.self, &param.lock, IOPF_GROUP_RESPONSE)
    if not pool_held(v.self, v.pools[POOL_GROUP], &group.hdr, IOPF_GROUP_RESPONSE):
        mutex_unlock(v.self, &param.lock, IOPF_GROUP_RESPONSE)
        return
    group_response_locked(v, param, group, code)
    mutex_unlock(v.self, &param.lock, IOPF_GROUP_RESPONSE)
