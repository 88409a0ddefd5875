# cython: language_level=3
"""The entry functions of the kernel processes: interrupt threads, workers, tasks and drivers."""

from libc.stdint cimport uint32_t

from iopf.emulator.kernel.proc.driver cimport driver_main
from iopf.emulator.kernel.vtd.prq cimport irq_main
from iopf.emulator.kernel.proc.task cimport task_main
from iopf.emulator.kernel.core.worker cimport worker_main
from iopf.emulator.board.board cimport view
from iopf.emulator.board.process cimport Process
from iopf.emulator.spec.roles cimport PHASE_PROBING


cdef int irq_entry(void *v, uint32_t unit) noexcept nogil:
    return irq_main(<view *>v, unit)


cdef int worker_entry(void *v, uint32_t index) noexcept nogil:
    return worker_main(<view *>v)


cdef int task_entry(void *v, uint32_t tenant) noexcept nogil:
    return task_main(<view *>v, tenant)


cdef int driver_entry(void *v, uint32_t index) noexcept nogil:
    return driver_main(<view *>v, index)


def prepare_irq(Process process not None, uint32_t unit) -> None:
    process.set_entry(irq_entry, &process.v, unit, PHASE_PROBING)


def prepare_worker(Process process not None) -> None:
    process.set_entry(worker_entry, &process.v, 0, PHASE_PROBING)


def prepare_task(Process process not None, uint32_t tenant) -> None:
    process.set_entry(task_entry, &process.v, tenant, PHASE_PROBING)


def prepare_driver(Process process not None, uint32_t index) -> None:
    process.set_entry(driver_entry, &process.v, index, PHASE_PROBING)
