# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Until v6.8: a driver registers one fault handler for each device, under ``device.param_lock``.

The handler is ``iommu_queue_iopf`` in every case, so only its presence is kept. Registering makes the fault_param on whose list the
copies of last requests wait for their responses; as long as one waits, unregistering is -EBUSY.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view

cdef int iommu_register_device_fault_handler(view *v, uint32_t dev) noexcept nogil
cdef int iommu_unregister_device_fault_handler(view *v, uint32_t dev) noexcept nogil
