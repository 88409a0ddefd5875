# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""``intel_iommu_drain_pasid_prq``: nothing of (device, PASID) is left between the function and the end of its handling (VT-d spec 7.10).

The PASID entry is clear (or points elsewhere) when it is called, so the hardware lets no new request of the old
domain in. Queue scan, flush of the workqueue, then fence, device-TLB invalidation and wait with drain; once more when
the queue overflowed meanwhile, since an automatic answer may be in flight. ``prq_passes`` counts passes of the
interrupt thread and ``prq_complete`` is rung after each: the drain waits for one that began after it looked. It never
runs in a worker: the flush would wait for itself.
"""

from libc.stdint cimport uint32_t

from iopf.cython_ext.record_ring cimport ring_end
from iopf.emulator.board.board cimport view

cdef void intel_iommu_drain_pasid_prq(view *v, uint32_t dev, uint32_t pasid) noexcept nogil
cdef void intel_iommu_fence_events(view *v, uint32_t dev) noexcept nogil
