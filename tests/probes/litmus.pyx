# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Litmus tests: a few words and a few short programs, run by the same run queue and explorers as a system.

A program is a list of (operation, word, number): ``ld`` into register ``number``, ``st`` of the value ``number``, ``add`` of 1 with the
previous value into register ``number``, ``lock``, ``unlock``, ``fence``. The outcome of a schedule is the words, then the registers of
every program; None for a schedule with a deadlock.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport mutex_lock, mutex_unlock, rmutex
from iopf.cython_ext.runqueue cimport *
from iopf.emulator.sched.strategies cimport *
from iopf.emulator.sched.tree cimport *

cdef enum:
    WORDS = 8
    REGISTERS = 4
    ROOM = 1024
    STACK = 16384
    LD = 0
    ST = 1
    ADD = 2
    LOCK = 3
    UNLOCK = 4
    FENCE = 5

OPERATIONS = {"ld": LD, "st": ST, "add": ADD, "lock": LOCK, "unlock": UNLOCK, "fence": FENCE}

cdef struct instruction:
    uint32_t op
    uint32_t word
    uint64_t number

cdef struct litmus_program:
    iopf_actor *self
    uint64_t *words
    instruction code[32]
    uint32_t length
    uint32_t over
    uint64_t registers[4]


cdef int litmus_entry(void *arg, uint32_t index) noexcept nogil:
    cdef litmus_program *p = <litmus_program *>arg
    cdef instruction *i
    cdef uint32_t at
    for at in range(p.length):
        i = &p.code[at]
        if i.op == LD:
            p.registers[i.number] = read64(p.self, &p.words[i.word * 8], 0)
        elif i.op == ST:
            write64(p.self, &p.words[i.word * 8], i.number, 0)
        elif i.op == ADD:
            p.registers[i.number] = add64(p.self, &p.words[i.word * 8], 1, 0)
        elif i.op == LOCK:
            mutex_lock(p.self, <rmutex *>&p.words[i.word * 8], 0)
        elif i.op == UNLOCK:
            mutex_unlock(p.self, <rmutex *>&p.words[i.word * 8], 0)
        else:
            fence_at(p.self, 0)
    p.over = 1
    return 0


cdef class Litmus:
    """``programs``: at most eight, of at most 32 operations on words 0 to 7. Raises ValueError, MemoryError."""

    cdef char *memory
    cdef iopf_crew *crew
    cdef runqueue *rq
    cdef uint64_t *words
    cdef char *stacks
    cdef litmus_program *programs
    cdef uint32_t count

    def __cinit__(self, list programs not None):
        cdef uint64_t actors, words, stacks, size
        self.count = len(programs)
        if not 0 < self.count <= 8:
            raise ValueError(f"{len(programs)} programs; one to eight can be played")
        actors = sizeof(iopf_crew)
        words = actors + (self.count + 1) * sizeof(iopf_actor)
        stacks = words + WORDS * 64
        size = stacks + (self.count + 1) * STACK
        self.memory = <char *>calloc(1, size + sizeof(runqueue) + ROOM * sizeof(rq_step) + ROOM + 64)
        self.programs = <litmus_program *>calloc(self.count, sizeof(litmus_program))
        if self.memory == NULL or self.programs == NULL:
            raise MemoryError("no memory for the litmus test")
        self.crew = <iopf_crew *>((<uint64_t>self.memory + 63) & ~<uint64_t>63)
        self.words = <uint64_t *>(<char *>self.crew + words)
        self.stacks = <char *>self.crew + stacks
        self.rq = <runqueue *>(<char *>self.crew + size)
        self.crew.actors = self.count + 1
        self.crew.runqueue = size
        self.rq.arena = <uint64_t>self.crew
        self.rq.room = ROOM
        self.rq.step_ns = RQ_STEP_NS
        self.rq.path = sizeof(runqueue) + ROOM * sizeof(rq_step)
        for number, program in enumerate(programs):
            self._load(&self.programs[<uint32_t>number], number, program)

    cdef int _load(self, litmus_program *p, uint32_t number, program) except -1:
        if len(program) > 32:
            raise ValueError(f"program {number}: {len(program)} operations, at most 32")
        p.self = crew_actor(self.crew, number + 1)
        p.self.slot = number + 1
        p.words = self.words
        for op, word, value in program:
            if op not in OPERATIONS or not 0 <= word < WORDS or (op in ("ld", "add") and not 0 <= value < REGISTERS):
                raise ValueError(f"program {number}: no operation ({op!r}, {word}, {value})")
            p.code[p.length].op = OPERATIONS[op]
            p.code[p.length].word = word
            p.code[p.length].number = value
            p.length += 1
        return 0

    def __dealloc__(self):
        free(self.memory)
        free(self.programs)

    cdef void _begin(self) noexcept nogil:
        cdef uint32_t i
        memset(self.words, 0, WORDS * 64)
        self.crew.verdict_count = 0
        self.rq.actors = 0
        self.rq.now = 0
        rq_begin(self.rq, ROOM)
        for i in range(self.count):
            self.programs[i].over = 0
            memset(self.programs[i].registers, 0, sizeof(self.programs[i].registers))
            self.programs[i].self.held_count = 0
            rq_spawn(self.rq, self.programs[i].self, self.stacks + i * STACK, STACK, litmus_entry, &self.programs[i], i)

    cdef object _outcome(self):
        cdef uint32_t i
        if not all([self.programs[i].over for i in range(self.count)]):
            return None
        made = [self.words[i * 8] for i in range(WORDS)]
        for i in range(self.count):
            made += [self.programs[i].registers[r] for r in range(REGISTERS)]
        return tuple(made)

    cdef list _trace(self):
        cdef uint64_t i
        return [(self.rq.step[i].slot, self.rq.step[i].where, self.rq.step[i].kind) for i in range(self.rq.steps)]

    def walk(self, uint32_t by=WALK_REDUCED, uint32_t bound=0, uint64_t most=100000) -> list:
        """(outcome, trace) of every schedule; a trace is a list of (slot, word, kind of access). Raises OverflowError beyond ``most``."""
        cdef tree *t = tree_new(by, bound)
        cdef bint more = True
        made = []
        if t == NULL:
            raise MemoryError("no memory for the tree of schedules")
        self.rq.memory = RQ_SC
        self.rq.step_ns = 0
        while more:
            self._begin()
            strategy_begin(self.rq, STRATEGY_TREE, 0, 1)
            tree_play(t)
            rq_run_fibers(self.rq, self.crew, strategy_choose)
            if self.rq.ended != END_CUT:
                made.append((self._outcome(), self._trace()))
            more = tree_next(t, self.rq)
            if len(made) > most:
                tree_free(t)
                raise OverflowError(f"more than {most} schedules")
        tree_free(t)
        return made

    def play(self, uint32_t strategy, uint32_t depth, uint64_t seed, uint64_t schedules, bint tso) -> set:
        """Outcomes of a number of random schedules."""
        cdef uint64_t i
        made = set()
        self.rq.memory = RQ_TSO if tso else RQ_SC
        self.rq.step_ns = RQ_STEP_NS
        for i in range(schedules):
            self._begin()
            strategy_begin(self.rq, strategy, depth, seed + i)
            rq_run_fibers(self.rq, self.crew, strategy_choose)
            made.add(self._outcome())
            strategy_learn(self.rq)
        return made
