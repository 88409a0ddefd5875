# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One worker: take a group, fault its pages in, answer.

The worker reads ``group`` and everything below it as the owner: the IRQ thread published it through the ring. It takes the mmap lock for
reading, once per page, and fault_param.lock to answer; nothing that a flusher may hold. It may be the last user of an
address space, which then ends here.
"""

from libc.stdint cimport uint32_t, uint64_t

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.histogram cimport hist_add
from cython_ext.mutex cimport lockdep_acquire, lockdep_release
from cython_ext.pool cimport *
from cython_ext.wait cimport *
from cython_ext.work_ring cimport *
from emulator.kernel.iopf cimport *
from emulator.kernel.sva cimport sva_mmput
from emulator.mm.mm cimport handle_mm_fault, mmget_not_zero
from emulator.spec.board cimport *
from emulator.spec.sites cimport *
from emulator.spec.vtd cimport *

cdef enum:
    IDLE_NS = 400000000
    WORK_GROUPS = 0          # actor.work: groups, faults, groups answered INVALID, groups without an mm
    WORK_FAULTS = 1
    WORK_INVALID = 2
    WORK_NO_MM = 3


cdef uint32_t fault_rwx(fault_event *fault) noexcept nogil:
    return prq_rw(fault.qw1) | (4 if prq_execute(fault.qw0) else 0)


cdef uint32_t handle_faults(view *v, mm_struct *mm, iopf_group *group) noexcept nogil:
    """Every request in order of arrival until one fails: after that none is handled and the group is INVALID."""
    cdef uint32_t at = group.faults.first, seen = 0, code = RESP_SUCCESS
    cdef objhdr *node
    while seen <= v.pools[POOL_FAULT].capacity:
        node = list_node(v.self, v.pools[POOL_FAULT], &group.faults, at, WORKER_HANDLE)
        if node == NULL:
            break
        v.self.work[WORK_FAULTS] += 1
        code = handle_mm_fault(v, mm, prq_address((<iopf_fault *>node).evt.qw1), fault_rwx(&(<iopf_fault *>node).evt))
        if code != RESP_SUCCESS:
            return code
        at = node.next
        seen += 1
    v.self.work[WORK_FAULTS] += 1
    return handle_mm_fault(v, mm, prq_address(group.last.qw1), fault_rwx(&group.last))


cdef uint32_t iommu_sva_handle_mm(view *v, iopf_group *group) noexcept nogil:
    """The response code of a group: INVALID when the handle, the domain or the address space is gone."""
    cdef attach_handle *handle
    cdef mm_struct *mm
    cdef uint32_t code
    handle = <attach_handle *>pool_deref(v.self, v.pools[POOL_HANDLE], group.handle, WORKER_HANDLE)
    if handle == NULL:
        return RESP_INVALID
    mm = <mm_struct *>pool_deref(v.self, v.pools[POOL_MM], handle.mm, WORKER_HANDLE)
    if mm == NULL or not mmget_not_zero(v, mm):
        v.self.work[WORK_NO_MM] += 1
        return RESP_INVALID
    code = handle_faults(v, mm, group)
    sva_mmput(v, mm)
    return code


cdef void iopf_handle_group(view *v, uint64_t group_ref, uint64_t taken_ticks) noexcept nogil:
    cdef iopf_group *group = <iopf_group *>pool_deref(v.self, v.pools[POOL_GROUP], group_ref, WORKER_HANDLE)
    cdef uint64_t done
    cdef uint32_t code
    if group == NULL:
        return
    hist_add(stage_hist(v, v.self.slot, STAGE_REPORT), crew_ticks_ns(v.crew, group.queued_ticks - group.last.irq_ticks))
    if taken_ticks > group.queued_ticks:
        hist_add(stage_hist(v, v.self.slot, STAGE_WORK), crew_ticks_ns(v.crew, taken_ticks - group.queued_ticks))
    code = iommu_sva_handle_mm(v, group)
    done = crew_ticks(v.crew)
    hist_add(stage_hist(v, v.self.slot, STAGE_MM), crew_ticks_ns(v.crew, done - taken_ticks))
    v.self.work[WORK_GROUPS] += 1
    note_event(v, done, IOPF_GROUP_RESPONSE, uid_number(group.last.uid), <uint64_t>group.device << 32 | code)
    if code != RESP_SUCCESS:
        v.self.work[WORK_INVALID] += 1
    iopf_group_response(v, group, code)
    hist_add(stage_hist(v, v.self.slot, STAGE_RESPOND), crew_ticks_ns(v.crew, crew_ticks(v.crew) - done))
    iopf_free_group(v, group)


cdef void sleep_for_work(view *v, waiter *w, uint64_t *stalled) noexcept nogil:
    """Caller is searching and has found nothing for long enough; it is searching again afterwards."""
    cdef uint64_t head
    cdef uint32_t key = ec_prepare(v.self, &v.work.bell, WORKER_WAIT)
    work_search_end(v.self, v.work, False, WORKER_WAIT)
    if work_waiting(v.work) or ld32_acq(&v.board.phase) >= PHASE_ENDING:
        ec_cancel(v.self, &v.work.bell, key)
    elif waiter_sleep(v.self, &v.work.bell, key, IDLE_NS, WORKER_WAIT, w) and work_waiting(v.work):
        # The bell is shared: it may have rung for another worker, which is then on its way. Only a backlog that has not
        # moved from one bound to the next is a lost wake-up.
        head = ld64_acq(&v.work.head)
        if head == stalled[0] and head != 0:
            wake_lost(v.self, &v.work.bell, WORKER_WAIT)
        stalled[0] = head
    work_search_begin(v.self, v.work)


cdef int worker_main(view *v) noexcept nogil:
    """Runs until PHASE_ENDING."""
    cdef uint64_t payload[7]
    cdef uint64_t position, stalled = 0
    cdef waiter w
    cdef bint searching = True
    waiter_reset(&w)
    work_search_begin(v.self, v.work)
    while True:
        v.self.heartbeat += 1
        if work_pop(v.self, v.work, payload, &position, WORKER_WAIT):
            if searching:
                work_search_end(v.self, v.work, True, WORKER_WAIT)
                searching = False
            lockdep_acquire(v.self, LOCK_WQ, WORKER_HANDLE)
            iopf_handle_group(v, payload[0], crew_ticks(v.crew))
            lockdep_release(v.self, LOCK_WQ)
            work_done(v.self, v.work, position, WORKER_HANDLE)
            waiter_reset(&w)
            continue
        if not searching:
            work_search_begin(v.self, v.work)
            searching = True
        if waiter_spin(v.self, &w):
            continue
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            return 0
        sleep_for_work(v, &w, &stalled)
