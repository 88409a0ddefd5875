# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Groups: made, dequeued, freed; answers are in ``response.pxd``. The flows that use them, by generation: see ``report.pxd``.

Objects and owners
    iopf_fault     a copy of a non-last request; on ``partial``, then on its group's list; freed with the group, at overflow or removal.
                   Until v6.8 also the copy of a last request on ``faults``, which is what a response is matched with
    iopf_group     made by the IRQ thread for a last request; since v6.9 on ``faults`` (pending) until answered; a worker or
                   user space owns it once it was handed over
    attach handle  found by PASID, not counted: a detach drains first

Lock order: device_lock > sva_lock > group_lock > queue.lock > param_lock > fault_param.lock > qi_lock; user space's fault->mutex is above
fault_param.lock, the deliver ring innermost. No core lock is held while the handler of a group is called (until v6.8: param_lock).
The worker takes fault_param.lock only to answer. A flush is called without any of these locks (until v6.8: param_lock).

    operation            may run against
    report (one device)  response, flush, getters; not: report of the same device, discard (both are the IRQ thread's)
    response             report, response of other groups, discard
    remove_device        nothing of the same device: the driver has stopped the source and drained (its contract)
    discard_partial      response, flush
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.spec.fault cimport iommu_fault
from iopf.emulator.board.objects cimport fault_param, iopf_group

cdef enum:
    LIST_GROUP = 3
    LIST_COPIES = 5              # copies of last requests, until v6.8

cdef iopf_group *iopf_group_alloc(view *v, fault_param *param, iommu_fault *fault, bint pend) noexcept nogil
cdef uint32_t abort_without_group(view *v, fault_param *param, iommu_fault *fault, uint32_t code) noexcept nogil
cdef void iopf_free_group(view *v, iopf_group *group, uint32_t site) noexcept nogil
cdef bint with_user(view *v, iopf_group *group) noexcept nogil
cdef void iopf_group_dequeue(view *v, iopf_group *group) noexcept nogil
cdef void acknowledge_pending(view *v, fault_param *param, uint64_t domain_ref, uint32_t pasid1) noexcept nogil
