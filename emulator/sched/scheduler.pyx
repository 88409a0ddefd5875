# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The scheduler: runs schedules of one system, all from the same initial state.

    (construction) spawns every entry function on a stack of its own; nothing runs yet
    settle         runs without preemptions until no actor is runnable; the supervisor may change phases between two calls
    open           releases the programs from ``start`` and saves the initial state of the schedules
    replay         one schedule along a path
    run_to         up to a step; then an actor may be killed or held, and the others continue

The explorer runs many schedules (``explorer.pyx``).

A schedule ends when no actor is runnable, when a detector fires, or at the step limit. It is a deadlock or a lost wake-up when no actor
is runnable and a program has not finished.
"""

from iopf.emulator.sched.judge import Bug as Outcome

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.memory cimport Memory
from iopf.cython_ext.runqueue cimport *
from iopf.emulator.sched.initial_state cimport InitialState
from iopf.emulator.sched.board_copy cimport on_wild_access, wild_address
from iopf.emulator.sched.judge cimport *
from iopf.emulator.sched.strategies cimport *
from iopf.emulator.board.board cimport view_attach, view_region
from iopf.emulator.board.layout cimport *
from iopf.emulator.board.process cimport Process

cdef runqueue *running  # run queue of the schedule in this process; for `escape`
cdef iopf_crew *running_crew


cdef void escape() noexcept nogil:
    """Continuation of an actor after an invalid pointer dereference: raise a verdict and leave the stack for good."""
    cdef rq_slot *s = &running.slot[running.current & (RQ_SLOTS - 1)]
    cdef iopf_actor *self = crew_actor(running_crew, running.current)
    verdict_raise(self, VERDICT_WILD, 0, wild_address(), 0, 0, 0, self.last_point >> 8)
    rq_set_state(running, running.current & (RQ_SLOTS - 1), RQ_DEAD)
    iopf_switch(&s.sp, s.loop_sp)


cdef void use_runqueue(runqueue *rq, iopf_crew *crew) noexcept nogil:
    """Make this process's invalid pointer dereferences verdicts of ``rq``."""
    global running, running_crew
    running = rq
    running_crew = crew
    on_wild_access(escape)


cdef class Scheduler:
    """Controls the system on the board in ``memory``, run by ``processes``, which are prepared and not yet running."""

    def __cinit__(self, Memory memory not None, list processes not None, must=(), expected=None):
        cdef Process process
        cdef uint64_t room
        if view_attach(&self.v, memory.base, memory.size, 0) != 0:
            raise ValueError("the shared memory does not hold a complete board of this build")
        room = self.v.cfg.controlled
        if room == 0 or self.v.crew.actors > RQ_SLOT_MAX:
            raise ValueError(f"not a board for controlled runs of at most {RQ_SLOT_MAX} processes")
        self.memory, self.processes = memory, processes
        self.rq = <runqueue *>view_region(&self.v, OFF_RUNQUEUE)
        memset(self.rq, 0, sizeof(runqueue))
        self.rq.arena = <uint64_t>memory.base
        self.rq.room = room
        self.rq.path = sizeof(runqueue) + room * sizeof(rq_step)
        self.rq.max_steps = room
        self.rq.step_ns = RQ_STEP_NS
        self.v.crew.runqueue = <char *>self.rq - <char *>self.v.crew
        if not processes:
            raise ValueError("no actor processes")
        for process in processes:
            if process.main == NULL or process.slot == 0:
                raise ValueError("a process has no entry function")
            rq_spawn(self.rq, process.v.self, self._stack(process.slot), RQ_STACK, process.main, process.arg, process.index)
        for slot in must:
            self.expected.must |= <uint32_t>1 << <uint32_t>slot
        for i in range(POOLS):
            self.expected.live[i] = -1
        for i, n in (expected or {}).items():
            self.expected.live[<uint32_t>i] = n

    cdef char *_stack(self, uint32_t slot) noexcept:
        return view_region(&self.v, OFF_STACKS) + <uint64_t>slot * RQ_STACK

    def settle(self, uint64_t max_steps=0) -> int:
        """Run without preemptions until no actor is runnable; return why it ended (``End``)."""
        rq_recheck(self.rq)
        self._reset_schedule(max_steps)
        self.rq.memory = RQ_SC
        strategy_begin(self.rq, STRATEGY_FIRST, 0, 1)
        with nogil:
            rq_run_fibers(self.rq, self.v.crew, strategy_choose)
        return self.rq.ended

    cdef void _reset_schedule(self, uint64_t max_steps) noexcept nogil:
        rq_begin(self.rq, max_steps if 0 < max_steps < self.rq.room else self.rq.room)

    def open(self) -> None:
        """Release the programs and save the initial state of every schedule."""
        cdef uint32_t i
        cdef rq_slot *s
        if self.initial is not None:
            raise ValueError("the initial state is already saved")
        st32_rel(&self.v.board.cut, 1)
        for i in range(1, self.rq.actors):
            # An actor at its start sleeps on its own bell; it is woken here without a ring.
            s = &self.rq.slot[i]
            if s.state == RQ_BLOCKED and s.kind == ACC_WAIT and s.where == <uint64_t>&crew_actor(self.v.crew, i).bell_seq:
                rq_wake_slot(self.rq, i, 0)
        self.initial = InitialState(self.processes)

    def close(self) -> None:
        """End the watch; the board may be unmapped. No schedule can run any more."""
        if self.initial is not None:
            self.initial.close()
            self.initial = None

    @property
    def written_pages(self) -> int:
        """Pages restored before every schedule."""
        return self.initial.written_pages if self.initial is not None else 0

    cdef int _check_slot(self, uint32_t slot) except -1:
        if not 0 < slot < self.rq.actors:
            raise ValueError(f"no actor in slot {slot} of {self.rq.actors}")
        return 0

    cdef int _opened(self) except -1:
        if self.initial is None:
            raise ValueError("no initial state: call open() first")
        return 0

    cdef void _start_over(self, uint64_t max_steps) noexcept nogil:
        self.initial.put_back()
        self.rq.early = 0
        self._reset_schedule(max_steps)

    cdef void _set_memory(self) noexcept nogil:
        """Set memory model and clock in the run queue, where the actor processes read them."""
        self.rq.step_ns = 0 if self.still else RQ_STEP_NS
        self.rq.memory = RQ_TSO if self.tso and self.rq.actors <= RQ_DRAIN else RQ_SC

    cdef uint32_t _play(self) noexcept nogil:
        if self.by_processes:
            if not rq_run_processes(self.rq, self.v.crew, strategy_choose, TOKEN_NS):
                self.rq.ended = END_LOST
        else:
            use_runqueue(self.rq, self.v.crew)
            rq_run_fibers(self.rq, self.v.crew, strategy_choose)
            on_wild_access(NULL)
        self.played += 1
        self.steps += self.rq.steps
        if self.coverage is not None:
            self.coverage.note(self.rq)
        return judge(&self.v, self.rq, &self.expected)

    def replay(self, bytes path, bint loose=False, uint64_t max_steps=0) -> int:
        """Run one schedule along ``path``, one slot per step; return a ``Bug``. ``loose``: skip steps whose actor is not runnable."""
        cdef uint64_t n = len(path)
        cdef const uint8_t *source = path
        cdef uint32_t bug
        self._opened()
        if n > self.rq.room:
            raise ValueError(f"a path of {n} steps; the run queue has room for {self.rq.room}")
        self._set_memory()
        self._start_over(max_steps)
        strategy_begin(self.rq, STRATEGY_LOOSE if loose else STRATEGY_PATH, 0, 1)
        memcpy(<char *>self.rq + self.rq.path, source, n)
        self.rq.path_steps = n
        with nogil:
            bug = self._play()
        return Outcome(bug)

    def run_ordered(self, list orderings) -> tuple:
        """Run one schedule under constraints; return (``Bug``, steps that violated one because nothing else was runnable). A constraint is
        (slot, point, number) of the first step and of the step that waits for it."""
        cdef uint64_t n = len(orderings)
        cdef ordering *table = <ordering *>(<char *>self.rq + self.rq.path)
        cdef uint32_t bug
        self._opened()
        if n * sizeof(ordering) > self.rq.room:
            raise ValueError(f"{n} constraints; the run queue has room for {self.rq.room // sizeof(ordering)}")
        self._set_memory()
        self._start_over(0)
        strategy_begin(self.rq, STRATEGY_ORDERED, 0, 1)
        for i, ((slot, point, number), (slot2, point2, number2)) in enumerate(orderings):
            table[<uint32_t>i] = ordering(slot, point, number, 0, slot2, point2, number2, 0)
        self.rq.path_steps = n
        with nogil:
            bug = self._play()
        return (Outcome(bug), self.rq.depth)

    def run_to(self, bytes path, uint64_t step) -> bool:
        """Run ``path`` up to, but not including, a step; false if it ends before. Then ``kill`` or ``hold``, and ``continue_schedule``."""
        if step == 0:
            raise ValueError("the first step is number 1")
        self.replay(path, False, step)
        return self.rq.ended == END_STEPS and self.rq.steps == step

    def kill(self, uint32_t slot) -> None:
        """Remove the actor: it runs no further step."""
        self._check_slot(slot)
        rq_set_state(self.rq, slot, RQ_DEAD)

    def hold(self, uint32_t slot) -> None:
        """Stop the actor until ``release``. It can still be woken."""
        self._check_slot(slot)
        self.rq.held |= <uint32_t>1 << slot

    def release(self, uint32_t slot) -> None:
        self._check_slot(slot)
        self.rq.held &= ~(<uint32_t>1 << slot)

    def continue_schedule(self, without=(), uint64_t max_steps=0, bint recheck=True) -> Outcome:
        """Continue without preemptions, up to ``max_steps`` steps in all; the programs of ``without`` need not finish.

        ``recheck``: code outside the schedule changed words, so waiters compare them again.
        """
        cdef uint32_t must = self.expected.must, bug
        for slot in without:
            self.expected.must &= ~(<uint32_t>1 << <uint32_t>slot)
        if recheck:
            rq_recheck(self.rq)
        self.rq.ended = END_NONE
        self.rq.max_steps = max_steps if 0 < max_steps < self.rq.room else self.rq.room
        self.rq.strategy = STRATEGY_FIRST
        with nogil:
            bug = self._play()
        self.expected.must = must
        return Outcome(bug)

    @property
    def base_address(self) -> int:
        """Address of the board in this process."""
        return self.rq.arena

    @property
    def ended(self) -> int:
        """Why the last schedule ended (``End``)."""
        return self.rq.ended

    @property
    def leapt_ns(self) -> int:
        """Virtual time of the schedule that passed in jumps to the end of a sleep."""
        return self.rq.now - self.initial.now - self.rq.steps * self.rq.step_ns

    @property
    def delayed(self) -> bool:
        """Whether plain stores were delayed in the last schedule."""
        return self.rq.memory == RQ_TSO

    @property
    def trace_hash(self) -> int:
        return self.rq.hash

    @property
    def trace(self) -> list:
        """Steps of the last schedule: (slot, point id, kind, offset of the access, mask of runnable slots)."""
        cdef uint64_t i
        return [
            (self.rq.step[i].slot, self.rq.step[i].id, self.rq.step[i].kind, <uint64_t>self.rq.step[i].where * 4,
             self.rq.step[i].enabled)
            for i in range(min(self.rq.steps, self.rq.room))
        ]

    @property
    def path(self) -> bytes:
        cdef uint64_t i
        return bytes([self.rq.step[i].slot for i in range(min(self.rq.steps, self.rq.room))])

    def positions(self) -> list:
        """Position of every actor: (slot, state, point id, kind, offset of the word, program finished)."""
        return [
            (i, self.rq.slot[i].state, self.rq.slot[i].id, self.rq.slot[i].kind, self.rq.slot[i].where - self.rq.arena,
             bool(crew_actor(self.v.crew, i).program_over))
            for i in range(1, self.rq.actors)
        ]
