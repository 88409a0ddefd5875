# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The kernel's end of the invalidation queue (VT-d queued invalidation).

``qi_lock`` protects the tail and the next status value and is innermost: nothing nests in it. The tail is
written last, so a submitter that dies leaves no half descriptor. Page group responses are posted: the submitter does not wait
for the hardware to execute them, which only the drain needs to know and does with a wait descriptor.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view

cdef void qi_page_grp_resp(view *v, uint32_t unit, uint32_t rid, uint32_t pasid, bint pasid_present, uint32_t prgi,
                           uint32_t code, uint64_t uid) noexcept nogil
cdef void qi_page_resp_private(view *v, uint32_t unit, uint64_t *rec, uint32_t code) noexcept nogil
cdef void qi_dev_tlb_inv(view *v, uint32_t unit, uint32_t rid, uint32_t pasid, uint64_t start, uint64_t pages) noexcept nogil
cdef void qi_flush_dev_iotlb(view *v, uint32_t unit, uint32_t rid, uint32_t pasid, bint drain) noexcept nogil
cdef void qi_wait(view *v, uint32_t unit, uint64_t flags, uint32_t site) noexcept nogil
