# cython: language_level=3, cdivision=True
"""Groups: made, answered, freed. The flows that use them stand in ``report.pxd``, one per generation.

Objects and owners (spec/kernel.md 1.2 to 1.8b)
    iopf_fault     a copy of a non-last request; on ``partial``, then on its group's list; freed with the group, at overflow or removal.
                   Until v6.8 also the copy of a last request on ``faults``, which is what a response is matched with
    iopf_group     made by the IRQ thread for a last request; since v6.9 on ``faults`` (pending) until answered; a worker or
                   user space owns it once it was handed over
    attach handle  found by PASID, not counted: whoever detaches drains first

Lock order: device_lock > sva_lock > group_lock > queue.lock > param_lock > fault_param.lock > qi_lock; user space's fault->mutex is above
fault_param.lock, the deliver ring innermost. No core lock is held while the handler of a group is called (until v6.8: param_lock).
The worker takes fault_param.lock only to answer. A flush is called without any of these locks (until v6.8: param_lock).

    operation            may run against
    report (one device)  response, flush, getters; not: report of the same device, discard (both are the IRQ thread's)
    response             report, response of other groups, discard
    remove_device        nothing of the same device: the driver has stopped the source and drained (its contract)
    discard_partial      response, flush

The answered group. v6.9 to v6.14: a response acts only while the group is pending, so a group that was answered by removal is not
answered twice. v7.2 (738e6f32e61d): a response always answers; whoever keeps a group beyond the handler's return dequeues it first.
gunthorpe: a group that was acknowledged is marked, and a late response to it does nothing.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport fault_event, fault_param, iopf_group

cdef enum:
    LIST_GROUP = 3
    LIST_COPIES = 5              # copies of last requests, until v6.8
    ANSWERED_CONTAINED = 2       # by a removal that left it to its worker
    ANSWERED_WITH_USER = 3       # the same, and user space has it

cdef iopf_group *iopf_group_alloc(view *v, fault_param *param, fault_event *evt, bint pend) noexcept nogil
cdef uint32_t abort_without_group(view *v, fault_param *param, fault_event *evt, uint32_t code) noexcept nogil
cdef void count_answer(view *v, iopf_group *group, uint32_t code) noexcept nogil
cdef void group_response_locked(view *v, fault_param *param, iopf_group *group, uint32_t code) noexcept nogil
cdef void iopf_group_response(view *v, iopf_group *group, uint32_t code) noexcept nogil
cdef void iopf_free_group(view *v, iopf_group *group, uint32_t site) noexcept nogil
cdef bint with_user(view *v, iopf_group *group) noexcept nogil
cdef void iopf_group_dequeue(view *v, iopf_group *group) noexcept nogil
cdef void acknowledge_pending(view *v, fault_param *param, uint64_t domain_ref, uint32_t pasid1) noexcept nogil
