# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Shared virtual addressing: bind and unbind.

Objects: an SVA domain per mm (holds the structure, not the users: an mm may die while bound), shared by all devices of the mm; an
``attach_handle`` per (device, mm) with a count of binders.

    sva_lock > group_lock > {queue locks | qi_lock}
    mm.pasid, mm.domain   written under sva_lock
    handle.users          under sva_lock

    bind     -ENODEV (no such device, or it is being removed), -EOVERFLOW (the mm's PASID is beyond what this device can have), -ENOSPC,
             -EBUSY (the slot of the PASID has another owner), -ENOMEM
    unbind   the last binder: stop the PASID in the device, clear the entry, drain; when it returns no fault of (device, PASID) is anywhere.
             -ENODEV for a handle that was unbound already
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct

cdef int iommu_sva_bind_device(view *v, uint32_t dev, mm_struct *mm, uint64_t *handle_out) noexcept nogil
cdef int iommu_sva_unbind_device(view *v, uint64_t handle_ref) noexcept nogil
