# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Probing and releasing a device, by generation.

    probe     on the driver's table; until v6.15 also: on its iopf queue, until v6.8 with a fault handler; then
              reception (PRE), then PRI in the function. v6.16 and later put it on the queue with the first fault-capable attachment,
              gunthorpe never.
    release   no new bind can find the device; every bond ends with its drain, every attachment with its auto-response (the release domain:
              nothing is attached); until v6.15 reception is stopped, the device leaves the queue and then PRI goes off; gunthorpe fences
              the hardware queue, acknowledges and marks what is pending, fences the responses, and then switches PRI off

device_lock serialises the two and is the outermost lock. ``removing`` is written under sva_lock too, so a bind that has seen the device
has returned before its bonds are ended.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view

cdef int iommu_probe_device(view *v, uint32_t dev) noexcept nogil
cdef int iommu_release_device(view *v, uint32_t dev) noexcept nogil
