# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The iopf queue: which devices share a workqueue, and taking a device off it.

    function                    returns                          locks taken, in this order
    iopf_queue_alloc            index, or -ENOMEM                queues_lock
    iopf_queue_free             0, -EINVAL                       removes the rest, flushes, then queues_lock
    iopf_queue_add_device       0, -ENODEV, -EBUSY, -ENOMEM      queue.lock > param_lock
    iopf_queue_remove_device    0; -EINVAL before v6.9 when      queue.lock > param_lock > fault_param.lock
                                the device is not on this queue
    iopf_queue_flush_dev        0, -ENODEV                       none; before v6.9 param_lock, across the flush
    iopf_queue_discard_partial  0, -EINVAL                       queue.lock > (param_lock | fault_param.lock)

``used`` and ``ring`` of a queue are written under queues_lock, ``devices`` under its own lock. A driver makes its queues before it probes
its devices and frees them after it has released them all.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.queues cimport iopf_queue

cdef int iopf_queue_alloc(view *v, uint32_t ring) noexcept nogil
cdef int iopf_queue_free(view *v, uint32_t queue) noexcept nogil
cdef uint32_t device_queue(view *v, uint32_t dev) noexcept nogil
cdef void flush_rings(view *v, uint32_t queue) noexcept nogil
cdef int iopf_queue_add_device(view *v, uint32_t queue, uint32_t dev) noexcept nogil
cdef int iopf_queue_remove_device(view *v, uint32_t queue, uint32_t dev) noexcept nogil
cdef int remove_leaving(view *v, iopf_queue *q, uint32_t queue, uint32_t dev) noexcept nogil
cdef int remove_answering(view *v, iopf_queue *q, uint32_t queue, uint32_t dev) noexcept nogil
cdef int remove_acknowledging(view *v, iopf_queue *q, uint32_t queue, uint32_t dev) noexcept nogil
cdef int flush_under_lock(view *v, uint32_t dev) noexcept nogil
cdef int flush_counted(view *v, uint32_t dev) noexcept nogil
cdef int iopf_queue_flush_dev(view *v, uint32_t dev) noexcept nogil
cdef int iopf_queue_discard_partial(view *v, uint32_t queue) noexcept nogil
