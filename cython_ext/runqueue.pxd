# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The run queue for Cython: actors on stacks of their own, and the token. See ``runqueue.h``.

    rq_spawn          sets up an actor at the start of its entry function
    rq_run_fibers     runs one schedule, all actors in this process
    rq_run_processes  runs one schedule by passing the token to the actor processes
    rq_relay          the same for consecutive schedules
    rq_run_actor      the loop of an actor process, until it is told to exit
    rq_pick           finds the runnable slots and lets the chooser choose one; called by the holder of the token
The chooser is a function of this process; its state is in the run queue, because every actor process runs it.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from iopf.cython_ext.crew cimport iopf_actor, iopf_crew

cdef extern from "iopf/cython_ext/runqueue.h" nogil:
    enum:
        RQ_SLOTS
        RQ_DRAIN
        RQ_SC
        RQ_TSO
        RQ_STEP_NS
        RQ_ABSENT
        RQ_RUNNABLE
        RQ_BLOCKED
        RQ_EXITED
        RQ_DEAD

    ctypedef struct rq_slot:
        void *sp
        void *loop_sp
        uint64_t where
        uint64_t due
        uint32_t id
        uint32_t kind
        uint32_t state
        uint32_t result
        uint32_t want
        uint64_t since
        uint64_t priority
        uint64_t taken
        uint64_t expected
        uint64_t low
        uint64_t high
        uint32_t go
        uint32_t asleep

    ctypedef struct rq_buffer:
        uint32_t count
        uint32_t entered

    ctypedef struct rq_step:
        uint32_t id
        uint32_t where
        uint16_t slot
        uint16_t kind
        uint32_t enabled

    ctypedef struct runqueue:
        uint64_t now
        uint64_t steps
        uint64_t hash
        uint64_t budget
        uint64_t arena
        uint64_t room
        uint32_t current
        uint32_t actors
        uint32_t ended
        uint32_t quit
        uint32_t strategy
        uint32_t depth
        uint64_t rng
        uint64_t max_steps
        uint64_t length
        uint64_t change[16]
        uint64_t path_steps
        uint64_t path
        uint64_t path_at
        uint32_t memory
        uint32_t step_ns
        uint32_t held
        uint32_t early
        uint32_t ready
        uint32_t locking
        uint32_t timed
        uint32_t buffered
        uint32_t first_due
        rq_slot slot[32]
        rq_buffer buffer[16]
        rq_step step[0]

    void iopf_switch(void **save, void *load)
    void rq_record(runqueue *rq, uint32_t slot, uint32_t enabled)
    void rq_set_state(runqueue *rq, uint32_t slot, uint32_t state)
    void rq_set_pending(runqueue *rq, uint32_t slot, uint32_t takes_lock)
    void rq_wake_slot(runqueue *rq, uint32_t slot, uint32_t result)

cpdef enum End:
    END_NONE = 0
    END_QUIET = 1            # no runnable actor
    END_STEPS = 2            # step limit
    END_VERDICT = 3          # a detector fired
    END_DIVERGED = 4         # the path names an actor that is not runnable
    END_LOST = 5             # a process died or did not return the token
    END_CUT = 6              # ended by the chooser

cdef enum:
    CUT = 0xFFFFFFFF         # instead of a slot: the chooser ends the schedule

ctypedef int (*actor_entry)(void *arg, uint32_t index) noexcept nogil
ctypedef uint32_t (*chooser)(runqueue *rq, uint32_t enabled) noexcept nogil
ctypedef uint32_t (*follower)(void *arg) noexcept nogil    # starts the next schedule: its first slot, or 0

cdef void rq_spawn(runqueue *rq, iopf_actor *actor, char *stack, uint64_t stack_bytes, actor_entry main, void *arg,
                   uint32_t index) noexcept nogil
cdef void rq_begin(runqueue *rq, uint64_t max_steps) noexcept nogil
cdef uint32_t rq_pick(runqueue *rq, iopf_crew *crew, chooser choose) noexcept nogil
cdef void rq_run_fibers(runqueue *rq, iopf_crew *crew, chooser choose) noexcept nogil
cdef void rq_run_actor(runqueue *rq, iopf_crew *crew, chooser choose, uint32_t me, follower follow, void *arg) noexcept nogil
cdef bint rq_run_processes(runqueue *rq, iopf_crew *crew, chooser choose, uint64_t bound_ns) noexcept nogil
cdef bint rq_relay(runqueue *rq, uint32_t slot, const uint64_t *progress, uint64_t bound_ns) noexcept nogil
cdef void rq_quit(runqueue *rq) noexcept nogil
cdef void rq_recheck(runqueue *rq) noexcept nogil
