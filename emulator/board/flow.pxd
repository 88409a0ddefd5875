# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Running a program: order, waiting, repetition and choice, in the actor of the program. Nothing here blocks.

``flow`` is private to the process that runs the program. Shared words:

    turn of a sequence     one writer at a time: the actor whose turn it is; the others read (acquire)
    arrivals of a barrier  one word per (barrier, crew slot), written by that actor alone; a finished or dead one counts as arrived
                           forever (written by itself, or by the supervisor after its death)
    result of a record     the actor alone; the supervisor reads at the end
An actor that changes a turn or arrives rings the others, which sleep on their own bells.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport OFF_BARRIERS, OFF_PROGRAMS, OFF_RESULTS, OFF_SEQUENCES
from iopf.emulator.spec.program cimport BARRIERS, prog_op

cpdef enum FlowState:
    FLOW_OP = 0              # the current record is for the caller
    FLOW_MOVED = 1           # a record of this module was executed
    FLOW_BLOCKED = 2
    FLOW_END = 3

cdef enum:
    NOT_RUN = 0x7FFFFFFF     # the result of a record that was never reached

cdef struct op_note:             # of a program record; the actor that runs it writes
    int64_t result               # the last one: 0 or more, a negative errno, NOT_RUN
    uint64_t runs
    uint64_t errors              # runs that ended with an error
    uint64_t pad

cdef struct barrier:             # arrivals of each crew slot follow all barriers; participants by slot
    uint64_t participants[8]

cdef struct flow:
    uint64_t first
    uint64_t count
    uint64_t pc
    uint64_t steps           # records done
    uint64_t rng
    uint64_t left[8]
    uint64_t due_ns
    uint32_t depth
    uint32_t arrived         # at the barrier of the current record
    uint32_t arrivals[64]

cdef void flow_begin(view *v, flow *f, uint64_t first, uint64_t count, uint64_t seed) noexcept nogil
cdef uint32_t flow_step(view *v, flow *f, uint32_t stop_phase, uint64_t *next_ns) noexcept nogil
cdef uint32_t flow_look(view *v, flow *f, uint32_t stop_phase) noexcept nogil
cdef void flow_done(view *v, flow *f, int64_t result) noexcept nogil
cdef void flow_leave(view *v, uint32_t slot) noexcept nogil
cdef void wait_held(view *v, uint32_t which) noexcept nogil

cdef inline prog_op *program(view *v, uint64_t first) noexcept nogil:
    return <prog_op *>view_region(v, OFF_PROGRAMS) + first

cdef inline prog_op *flow_op(view *v, flow *f) noexcept nogil:
    return program(v, f.first + f.pc)

cdef inline uint64_t *sequence_turn(view *v, uint32_t sequence) noexcept nogil:
    return <uint64_t *>(view_region(v, OFF_SEQUENCES) + <uint64_t>sequence * 64)

cdef inline barrier *barrier_at(view *v, uint32_t index) noexcept nogil:
    return <barrier *>view_region(v, OFF_BARRIERS) + index

cdef inline uint32_t *barrier_arrivals(view *v, uint32_t index, uint32_t slot) noexcept nogil:
    return <uint32_t *>(view_region(v, OFF_BARRIERS) + BARRIERS * sizeof(barrier)) + <uint64_t>index * v.cfg.slots + slot

cdef inline op_note *note_of(view *v, uint64_t record) noexcept nogil:
    return <op_note *>view_region(v, OFF_RESULTS) + record
