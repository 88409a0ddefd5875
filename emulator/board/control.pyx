# SPDX-License-Identifier: MIT
# cython: language_level=3
"""What only the supervisor writes: phases, orders to driver 0, deaths, programs, tenants."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.memory cimport Memory
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport board, view, view_attach
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.flow cimport NOT_RUN, barrier_at, flow_leave, note_of, program, sequence_turn
from iopf.emulator.board.intact cimport check_plan
from iopf.emulator.board.iommus cimport unit_regs
from iopf.emulator.spec.program cimport *
from iopf.emulator.board.progress cimport driver_at
from iopf.emulator.board.queues cimport work_ring
from iopf.emulator.spec.roles cimport PHASE_RUNNING
from iopf.emulator.spec.sites cimport START_BARRIER
from iopf.emulator.board.tenants cimport tenant


cdef struct ready_wait:
    board *board
    uint32_t count


cdef uint64_t all_ready(void *arg) noexcept nogil:
    return ld32_acq(&(<ready_wait *>arg).board.ready) >= (<ready_wait *>arg).count


cdef class Control:
    """The supervisor's hand on the board (crew slot 0)."""

    cdef view v
    cdef readonly Memory memory

    def __cinit__(self, Memory memory not None):
        if view_attach(&self.v, memory.base, memory.size, 0) != 0:
            raise ValueError("the shared memory holds no whole board of this build")
        check_plan(&self.v)
        self.memory = memory

    def set_phase(self, uint32_t phase) -> None:
        """Publishes the phase and wakes every sleeping actor."""
        if phase == PHASE_RUNNING:
            self.v.board.start_ns = clock_ns()
            self.v.board.start_ticks = crew_ticks(self.v.crew)
        st32_rel(&self.v.board.phase, phase)
        self.wake_all()

    def wake_all(self) -> None:
        cdef uint32_t i
        for i in range(self.v.cfg.slots):
            bell_ring(self.v.self, crew_actor(self.v.crew, i), START_BARRIER)
        ec_notify(self.v.self, &work_ring(&self.v, 0).bell, 0x7FFFFFFF, START_BARRIER)
        for i in range(self.v.cfg.work_rings):
            ec_notify(self.v.self, &work_ring(&self.v, i).idle, 0x7FFFFFFF, START_BARRIER)
        ec_notify(self.v.self, &self.v.board.hold_bell, 0x7FFFFFFF, START_BARRIER)
        ec_notify(self.v.self, &self.v.board.domain_bell, 0x7FFFFFFF, START_BARRIER)
        for i in range(self.v.cfg.units):
            ec_notify(self.v.self, &unit_regs(&self.v, i).qi_bell, 0x7FFFFFFF, START_BARRIER)
            ec_notify(self.v.self, &unit_regs(&self.v, i).prq_complete, 0x7FFFFFFF, START_BARRIER)

    def wait_ready(self, uint32_t count, uint64_t timeout_ns) -> bool:
        """Waits until ``count`` processes have come up; false after ``timeout_ns``, so that the caller can look for deaths."""
        cdef ready_wait r
        cdef int ret
        r.board, r.count = self.v.board, count
        with nogil:
            ret = wait_until(self.v.self, bell_of(self.v.self), all_ready, &r, timeout_ns, START_BARRIER)
        return ret == 0

    def lose_wakes(self, uint32_t site, uint32_t role) -> None:
        """For tests, before the start: loses the wake-ups of actors of ``role`` that wait at ``site``, until one was counted as lost."""
        st32_rel(&self.v.crew.drop, site | (role + 1) << 16)

    def order(self, uint32_t dev, uint32_t what, uint32_t driver_slot) -> None:
        """Asks driver 0 to probe or remove a device."""
        self._device(dev).order = what
        fence()
        bell_ring(self.v.self, crew_actor(self.v.crew, driver_slot), START_BARRIER)

    cdef device *_device(self, uint32_t dev) except NULL:
        if dev >= self.v.cfg.devices:
            raise IndexError(f"device {dev} of {self.v.cfg.devices}")
        return &self.v.devices[dev]

    def configure_device(self, uint32_t dev, uint32_t credits, uint32_t stop_kind) -> None:
        d = self._device(dev)
        d.credits = d.capacity = credits
        d.stop_kind = stop_kind

    def configure_tenant(self, uint32_t index, uint64_t first, uint64_t count, devices) -> None:
        cdef tenant *t
        cdef uint32_t dev
        if index >= self.v.cfg.tenants:
            raise IndexError(f"tenant {index} of {self.v.cfg.tenants}")
        t = &self.v.tenants[index]
        t.program, t.program_count = first, count
        for dev in devices:
            t.devices[dev >> 6] |= <uint64_t>1 << (dev & 63)

    def configure_driver(self, uint32_t index, uint64_t first, uint64_t count) -> None:
        """The program of driver ``index`` (1 and up; driver 0 has none)."""
        if not 0 < index < self.v.cfg.drivers:
            raise IndexError(f"driver {index} of {self.v.cfg.drivers}")
        driver_at(&self.v, index).program = first
        driver_at(&self.v, index).program_count = count

    def configure_barrier(self, uint32_t index, slots) -> None:
        """The crew slots that meet at a barrier."""
        cdef uint32_t slot
        if index >= BARRIERS:
            raise IndexError(f"barrier {index} of {BARRIERS}")
        for slot in slots:
            if slot >= 512:
                raise IndexError(f"slot {slot} cannot meet others at a barrier")
            barrier_at(&self.v, index).participants[slot >> 6] |= <uint64_t>1 << (slot & 63)

    def configure_function(self, uint32_t dev, uint32_t max_pasids, bint release_identity = False,
                           bint dtlb_extra_inval = False) -> None:
        """How many PASIDs the function can have, the domain that its release leaves it with, and whether it completes an invalidation
        before its posted writes."""
        self._device(dev).dtlb_extra_inval = dtlb_extra_inval
        self._device(dev).release_identity = release_identity
        self._device(dev).max_pasids = min(max_pasids, self.v.cfg.max_pasids)

    def set_fault_fd(self, uint32_t index, int fd) -> None:
        """The eventfd of a fault object, inherited by every process under this number."""
        if index >= self.v.cfg.fault_objects:
            raise IndexError(f"fault object {index} of {self.v.cfg.fault_objects}")
        self.v.board.fault_fd[index] = fd

    def release_held(self) -> None:
        """Lets go what a program has held: the run ends."""
        st32_rel(&self.v.board.hold, 0)
        self.wake_all()

    def program_dead(self, uint32_t slot, uint64_t first, uint64_t count) -> None:
        """The actor of a program is dead: its turns and its places at barriers count as passed."""
        cdef uint64_t i
        cdef prog_op *op
        for i in range(first, min(first + count, self.v.cfg.programs)):
            op = program(&self.v, i)
            if op.op == DO_TURN and op.arg < SEQUENCES:
                st64_rel(sequence_turn(&self.v, op.arg), <uint64_t>-1)
        flow_leave(&self.v, slot)
        self.wake_all()

    def load_programs(self, uint64_t first, bytes data not None) -> None:
        """Copies packed records of 48 bytes to record ``first`` of the program region."""
        cdef uint64_t i, size = len(data)
        if size % sizeof(prog_op) or first + size // sizeof(prog_op) > self.v.cfg.programs:
            raise ValueError(f"{size} bytes of program do not fit at record {first} of {self.v.cfg.programs}")
        if size:
            memcpy(program(&self.v, first), <const char *>data, size)
        for i in range(size // sizeof(prog_op)):
            note_of(&self.v, first + i).result = NOT_RUN

    def actor_dead(self, uint32_t slot) -> None:
        """A confirmed death: actors that wait for this one may continue or take over."""
        if slot >= self.v.cfg.slots:
            raise IndexError(f"slot {slot} of {self.v.cfg.slots}")
        st32_rel(&crew_actor(self.v.crew, slot).state, ACTOR_DEAD)

    def device_gone(self, uint32_t dev) -> None:
        """The function's process is dead: its link goes down. Every actor that may wait for it is rung."""
        st32_rel(&self._device(dev).link_up, 0)
        st32_rel(&self._device(dev).dev.stopped, 1)
        self.wake_all()

    def tenant_gone(self, uint32_t index) -> None:
        """The tenant's process is dead: its task runs the exit path."""
        if index >= self.v.cfg.tenants:
            raise IndexError(f"tenant {index} of {self.v.cfg.tenants}")
        st32_rel(&self.v.tenants[index].dead, 1)
        self.wake_all()
