# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The iopf queues on the board, and the workqueues that they give their groups to."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.mutex cimport rmutex
from iopf.cython_ext.pool cimport listhead
from iopf.cython_ext.work_ring cimport workring
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport OFF_QUEUES

cdef struct iopf_queue:
    rmutex lock
    listhead devices             # fault_param objects on the queue
    uint32_t used                # under queues_lock
    uint32_t ring                # its workqueue
    uint64_t discards            # iopf_queue_discard_partial calls

cdef inline iopf_queue *queue_at(view *v, uint32_t index) noexcept nogil:
    return <iopf_queue *>view_region(v, OFF_QUEUES) + index

cdef inline workring *work_ring(view *v, uint32_t index) noexcept nogil:
    return <workring *>(v.work + index * v.work_stride)
