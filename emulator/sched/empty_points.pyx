# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""An actor that only reaches scheduling points: the base cost of a schedule.

At each point an actor adds one to one of a few words shared by all actors: counters of the supervisor's slot, which counts nothing
itself. Their sum is the number of steps.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.process cimport Process
from iopf.emulator.spec.roles cimport PHASE_RUNNING
from iopf.emulator.spec.sites cimport START_BARRIER

cdef enum:
    WORDS = 4


cdef int points_entry(void *arg, uint32_t points) noexcept nogil:
    cdef view *v = <view *>arg
    cdef uint64_t *word
    cdef uint32_t i
    for i in range(points):
        word = &crew_actor(v.crew, 0).work[i % WORDS]
        point(v.self, START_BARRIER << 8 | OP_LOCAL, word, ACC_RMW)
        word[0] += 1
    st64_rel(&v.self.program_over, 1)
    return 0


def prepare(Process process not None, uint32_t points) -> None:
    """Set the entry of a process to one that reaches ``points`` points."""
    process.set_entry(points_entry, &process.v, points, PHASE_RUNNING)


def steps_made(Process process not None) -> int:
    """Steps of all actors since the start of the schedule."""
    return sum([crew_actor(process.v.crew, 0).work[i] for i in range(WORDS)])
