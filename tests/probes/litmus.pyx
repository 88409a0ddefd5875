# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Litmus tests: a few words and a few short programs, played by the same stage and explorers as a system.

A program is a list of (operation, word, number): ``ld`` into register ``number``, ``st`` of the value ``number``, ``add`` of 1 with the
value before into register ``number``, ``lock``, ``unlock``, ``fence``. What comes out of a schedule is the words, then the
registers of every program; a schedule in which somebody waits for a lock for ever comes out as None.
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

cdef struct part:
    iopf_actor *self
    uint64_t *words
    instruction code[32]
    uint32_t length
    uint32_t over
    uint64_t registers[4]


cdef int run_part(void *arg, uint32_t index) noexcept nogil:
    cdef part *p = <part *>arg
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
    cdef stage *st
    cdef uint64_t *words
    cdef char *stacks
    cdef part *parts
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
        self.memory = <char *>calloc(1, size + sizeof(stage) + ROOM * sizeof(stage_step) + ROOM + 64)
        self.parts = <part *>calloc(self.count, sizeof(part))
        if self.memory == NULL or self.parts == NULL:
            raise MemoryError("no memory for the litmus test")
        self.crew = <iopf_crew *>((<uint64_t>self.memory + 63) & ~<uint64_t>63)
        self.words = <uint64_t *>(<char *>self.crew + words)
        self.stacks = <char *>self.crew + stacks
        self.st = <stage *>(<char *>self.crew + size)
        self.crew.actors = self.count + 1
        self.crew.stage = size
        self.st.arena = <uint64_t>self.crew
        self.st.room = ROOM
        self.st.step_ns = STAGE_STEP_NS
        self.st.path = sizeof(stage) + ROOM * sizeof(stage_step)
        for number, program in enumerate(programs):
            self._load(&self.parts[<uint32_t>number], number, program)

    cdef int _load(self, part *p, uint32_t number, program) except -1:
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
        free(self.parts)

    cdef void _begin(self) noexcept nogil:
        cdef uint32_t i
        memset(self.words, 0, WORDS * 64)
        self.crew.verdict_count = 0
        self.st.players = 0
        self.st.now = 0
        stage_begin(self.st, ROOM)
        for i in range(self.count):
            self.parts[i].over = 0
            memset(self.parts[i].registers, 0, sizeof(self.parts[i].registers))
            self.parts[i].self.held_count = 0
            raise_curtain(self.st, self.parts[i].self, self.stacks + i * STACK, STACK, run_part, &self.parts[i], i)

    cdef object _outcome(self):
        cdef uint32_t i
        if not all([self.parts[i].over for i in range(self.count)]):
            return None
        made = [self.words[i * 8] for i in range(WORDS)]
        for i in range(self.count):
            made += [self.parts[i].registers[r] for r in range(REGISTERS)]
        return tuple(made)

    cdef list _trace(self):
        cdef uint64_t i
        return [(self.st.step[i].slot, self.st.step[i].where, self.st.step[i].kind) for i in range(self.st.steps)]

    def walk(self, uint32_t by=WALK_REDUCED, uint32_t bound=0, uint64_t most=100000) -> list:
        """(outcome, trace) of every schedule; a trace is a list of (slot, word, kind of access). Raises OverflowError beyond ``most``."""
        cdef tree *t = tree_new(by, bound)
        cdef bint more = True
        made = []
        if t == NULL:
            raise MemoryError("no memory for the tree of schedules")
        self.st.memory = STAGE_SC
        self.st.step_ns = 0
        while more:
            self._begin()
            strategy_begin(self.st, STRATEGY_TREE, 0, 1)
            tree_play(t)
            stage_fibers(self.st, self.crew, strategy_choose)
            if self.st.ended != END_CUT:
                made.append((self._outcome(), self._trace()))
            more = tree_next(t, self.st)
            if len(made) > most:
                tree_free(t)
                raise OverflowError(f"more than {most} schedules")
        tree_free(t)
        return made

    def play(self, uint32_t strategy, uint32_t depth, uint64_t seed, uint64_t schedules, bint tso) -> set:
        """Outcomes of so many random schedules."""
        cdef uint64_t i
        made = set()
        self.st.memory = STAGE_TSO if tso else STAGE_SC
        self.st.step_ns = STAGE_STEP_NS
        for i in range(schedules):
            self._begin()
            strategy_begin(self.st, strategy, depth, seed + i)
            stage_fibers(self.st, self.crew, strategy_choose)
            made.add(self._outcome())
            strategy_learn(self.st)
        return made
