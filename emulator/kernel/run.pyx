# cython: language_level=3
"""Entries of the kernel processes: interrupt threads, workers, tasks and drivers."""

from libc.stdint cimport uint32_t

from emulator.kernel.driver cimport driver_main
from emulator.kernel.prq cimport irq_main
from emulator.kernel.task cimport task_main
from emulator.kernel.worker cimport worker_main
from emulator.spec.board cimport PHASE_PROBING
from emulator.spec.process cimport Process


def run_irq(Process process not None, uint32_t unit) -> int:
    cdef int ret
    process.ready(PHASE_PROBING)
    with nogil:
        ret = irq_main(&process.v, unit)
    return ret


def run_worker(Process process not None) -> int:
    cdef int ret
    process.ready(PHASE_PROBING)
    with nogil:
        ret = worker_main(&process.v)
    return ret


def run_task(Process process not None, uint32_t tenant) -> int:
    cdef int ret
    process.ready(PHASE_PROBING)
    with nogil:
        ret = task_main(&process.v, tenant)
    return ret


def run_driver(Process process not None, uint32_t index) -> int:
    cdef int ret
    process.ready(PHASE_PROBING)
    with nogil:
        ret = driver_main(&process.v, index)
    return ret
