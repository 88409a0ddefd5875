# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Answers to requests and groups, and the kernel's ledger of what became of each request.

    kernel ledger     any kernel process that ends a request; the device compares it with the hardware's when it retires the request
    group.answered    under fault_param.lock
    books of a device (kernside.answered_*)  atomically, before the command: once that is in the queue the device may look

A response to a group acts under fault_param.lock, across the driver's command. Whether it acts is a matter of the generation
(``kernel_flow.may_respond``): v6.9 to v7.1 while the group is pending, so that a group which removal has answered is not answered twice;
v7.2 (738e6f32e61d) always, since an owner that keeps a group beyond the handler's return dequeues it first; gunthorpe unless the group is
marked as acknowledged.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport fault_param, iopf_group
from iopf.emulator.spec.fault cimport iommu_fault

cdef enum:
    ANSWERED_CONTAINED = 2       # by a removal that left it to its worker
    ANSWERED_WITH_USER = 3       # the same, and user space has it

cdef void kern_fate(view *v, const iommu_fault *fault, uint32_t fate) noexcept nogil
cdef void respond(view *v, const iommu_fault *fault, uint32_t code) noexcept nogil
cdef void count_answer(view *v, iopf_group *group, uint32_t code) noexcept nogil
cdef bint while_pending(view *v, iopf_group *group) noexcept nogil
cdef bint always(view *v, iopf_group *group) noexcept nogil
cdef bint unless_marked(view *v, iopf_group *group) noexcept nogil
cdef void group_response_locked(view *v, fault_param *param, iopf_group *group, uint32_t code) noexcept nogil
cdef void iopf_group_response(view *v, iopf_group *group, uint32_t code) noexcept nogil
