# SPDX-License-Identifier: MIT
# cython: language_level=3
"""One process of the system: attached to the board, with an actor and an entry function.

The package that has the main loop sets the entry (``prepare_irq``, ``prepare_device`` ...); ``run`` calls it. Preparing allocates
what the loop needs and writes nothing that others read, so it may be done before the fork.
"""

import os
import time

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.memory cimport Memory
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport board, view_attach, view_region
from iopf.emulator.board.layout cimport OFF_PRIVATE, RQ_PRIVATE
from iopf.emulator.spec.sites cimport START_BARRIER


cdef struct phase_wait:
    board *board
    uint32_t phase


cdef uint64_t phase_reached(void *arg) noexcept nogil:
    return ld32_acq(&(<phase_wait *>arg).board.phase) >= (<phase_wait *>arg).phase


cdef class Process:
    """Takes crew slot ``slot`` of the board in ``memory``.

    Raises ValueError when the memory holds no board of this build or the slot does not exist.
    """

    def __cinit__(self, Memory memory not None, uint32_t slot):
        cdef int ret = view_attach(&self.v, memory.base, memory.size, slot)
        if ret != 0:
            raise ValueError("the shared memory holds no board of this build, or has no such slot; start a new system")
        self.memory = memory
        self.slot = slot
        if self.v.cfg.controlled:
            # The state of the entry function is on the board too, so that a copy of the board includes it.
            self.v.private_at = view_region(&self.v, OFF_PRIVATE) + <uint64_t>slot * RQ_PRIVATE
            self.v.private_end = self.v.private_at + RQ_PRIVATE

    def arrive(self, uint64_t start_time) -> None:
        """First words of a process: who it is. ``start_time`` in clock ticks since boot, from /proc."""
        self.v.self.pid = <uint32_t>os.getpid()
        self.v.self.start_time = start_time
        st32_rel(&self.v.self.state, ACTOR_STARTING)

    cdef void set_entry(self, actor_entry main, void *arg, uint32_t index, uint32_t phase) noexcept:
        """Set the entry function, called as ``main(arg, index)`` in ``phase``: kernel and hardware start before devices and tenants."""
        self.main = main
        self.arg = arg
        self.index = index
        self.phase = phase

    def run(self) -> int:
        """Report that the process is up, wait for its phase, call the entry function; return 0 or a negative errno."""
        cdef int ret
        if self.main == NULL:
            raise ValueError("the process has no entry function")
        self._ready()
        with nogil:
            ret = self.main(self.arg, self.index)
        return ret

    cdef _ready(self):
        cdef phase_wait w
        w.board, w.phase = self.v.board, self.phase
        st32_rel(&self.v.self.state, ACTOR_READY)
        xadd32(&self.v.board.ready, 1)
        with nogil:
            bell_ring(self.v.self, crew_actor(self.v.crew, 0), START_BARRIER)
            wait_until(self.v.self, bell_of(self.v.self), phase_reached, &w, <uint64_t>-1, START_BARRIER)
        self.started_cpu_ns = time.process_time_ns()
        st32_rel(&self.v.self.state, ACTOR_RUNNING)

    def done(self, uint64_t cpu_ns) -> None:
        """Last words: the CPU time of the process in nanoseconds; kept is what it has used since its start."""
        self.v.self.work[7] = cpu_ns - min(cpu_ns, self.started_cpu_ns)
        st32_rel(&self.v.self.state, ACTOR_DONE)
