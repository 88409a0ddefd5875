# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Flushing a queue, driven from Python: as a task and as a worker."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.mutex cimport lockdep_acquire, lockdep_release
from iopf.emulator.kernel.core.fault_param cimport iopf_get_or_make_fault_param, iopf_put_dev_fault_param
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.queue cimport *
from iopf.emulator.kernel.flows cimport kernel_attach
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport LOCK_WQ
from iopf.emulator.board.objects cimport fault_param
from iopf.emulator.board.process cimport Process
from iopf.emulator.spec.errno cimport ENOMEM
from iopf.emulator.spec.sites cimport WORKER_HANDLE


cdef class Workqueue:
    """One queue, on the workqueue 0 of the board of ``process``."""

    cdef Process process
    cdef view *v

    def __cinit__(self, Process process not None):
        self.process = process
        self.v = &process.v
        if kernel_attach(self.v) != 0:
            raise ValueError("the board names an unknown kernel")
        if iopf_queue_alloc(self.v, 0) != 0:
            raise MemoryError("the board has a queue already")

    def add_device(self, uint32_t dev) -> int:
        """The result of iopf_queue_add_device. gunthorpe: of the first fault; 0 or -ENOMEM."""
        cdef fault_param *param
        if not flow_of(self.v).made_by_fault:
            return iopf_queue_add_device(self.v, 0, dev)
        param = iopf_get_or_make_fault_param(self.v, dev)
        if param == NULL:
            return -ENOMEM
        iopf_put_dev_fault_param(self.v, param)
        return 0

    def flush_dev(self, uint32_t dev, bint as_worker) -> int:
        """iopf_queue_flush_dev, optionally in the context of a worker. Nothing is queued, so it returns."""
        cdef int ret
        with nogil:
            if as_worker:
                lockdep_acquire(self.v.self, LOCK_WQ, WORKER_HANDLE)
            ret = iopf_queue_flush_dev(self.v, dev)
            if as_worker:
                lockdep_release(self.v.self, LOCK_WQ)
        return ret
