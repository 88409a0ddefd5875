# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Saving and restoring the initial state. See ``initial_state.pxd``."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from iopf.cython_ext.runqueue cimport *
from iopf.emulator.sched.board_copy cimport BoardCopy
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport *
from iopf.emulator.board.process cimport Process


cdef uint64_t region_end(view *v, uint32_t which):
    """Regions are adjacent, so a region ends where the next one starts."""
    cdef uint64_t end = v.size, start = v.offsets[which]
    cdef uint32_t i
    for i in range(OFF_COUNT):
        if start < v.offsets[i] < end:
            end = v.offsets[i]
    return end


cdef class InitialState:
    """The current board of ``processes``. Raises what BoardCopy raises."""

    def __cinit__(self, list processes not None):
        cdef Process process = processes[0]
        cdef view *v = &process.v
        cdef uint64_t private = v.offsets[OFF_PRIVATE], stacks = v.offsets[OFF_STACKS]
        cdef uint64_t stack_end, start
        self.rq = <runqueue *>view_region(v, OFF_RUNQUEUE)
        memcpy(self.slots, self.rq.slot, sizeof(self.slots))
        self.ready, self.locking, self.timed, self.now = self.rq.ready, self.rq.locking, self.rq.timed, self.rq.now
        # Not restored: regions that no behaviour depends on, and stacks and private memory outside the pieces.
        apart = [(v.offsets[which], region_end(v, which)) for which in (OFF_EVENTS, OFF_HISTOGRAMS, OFF_META)]
        apart.append((private, region_end(v, OFF_PRIVATE)))
        apart.append((stacks, region_end(v, OFF_STACKS)))
        pieces = []
        for process in processes:
            stack_end = stacks + (process.slot + 1) * <uint64_t>RQ_STACK
            pieces.append((<uint64_t>self.slots[process.slot].sp - <uint64_t>v.base, stack_end))
            start = private + process.slot * <uint64_t>RQ_PRIVATE
            pieces.append((start, <uint64_t>process.v.private_at - <uint64_t>v.base))
        # The run queue is the last region and is not part of the copy.
        self.copy = BoardCopy(process.memory, <char *>self.rq - v.base, apart, pieces)

    def watch(self) -> None:
        """Called in every actor process forked since."""
        self.copy.watch()

    def close(self) -> None:
        """End the watch; the board may be unmapped."""
        self.copy.close()

    @property
    def written_pages(self) -> int:
        return self.copy.written

    cdef void put_back(self) noexcept nogil:
        cdef uint32_t i
        self.copy.put_back()
        for i in range(1, self.rq.actors):
            # Line 0 of the slot is the state of the actor; the rest belongs to the strategy and the process.
            memcpy(&self.rq.slot[i], &self.slots[i], 64)
            self.rq.slot[i].taken = 0
        self.rq.ready, self.rq.locking, self.rq.timed = self.ready, self.locking, self.timed
        self.rq.now = self.now
        self.rq.held = 0
