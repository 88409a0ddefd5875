# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The entry functions of the kernel processes: interrupt threads, workers, tasks and drivers."""

from libc.stdint cimport uint32_t

from iopf.emulator.kernel.flows cimport kernel_attach
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


cdef kernel_process(Process process):
    """Raises ValueError when the board names a kernel that this build does not have."""
    if kernel_attach(&process.v) != 0:
        raise ValueError(f"the board names generation {process.v.cfg.generation} and profile {process.v.cfg.profile}, "
                         "which this build does not have; start a new system")


def prepare_irq(Process process not None, uint32_t unit) -> None:
    kernel_process(process)
    process.set_entry(irq_entry, &process.v, unit, PHASE_PROBING)


def prepare_worker(Process process not None) -> None:
    kernel_process(process)
    process.set_entry(worker_entry, &process.v, 0, PHASE_PROBING)


def prepare_task(Process process not None, uint32_t tenant) -> None:
    kernel_process(process)
    process.set_entry(task_entry, &process.v, tenant, PHASE_PROBING)


def prepare_driver(Process process not None, uint32_t index) -> None:
    kernel_process(process)
    process.set_entry(driver_entry, &process.v, index, PHASE_PROBING)
