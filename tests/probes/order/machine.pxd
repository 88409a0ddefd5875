# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The machine for Cython: see ``machine.h``. A module of programs has a table of ``program`` and calls ``explored`` for one of them."""

from libc.stdint cimport int32_t, uint32_t, uint64_t

from iopf.cython_ext.crew cimport iopf_actor, iopf_crew

ctypedef void (*setup_function)() noexcept nogil
ctypedef void (*run_function)(uint32_t me) noexcept nogil
ctypedef const char *(*check_function)() noexcept nogil

cdef extern from "tests/probes/order/machine.h" nogil:
    enum:
        MACHINE_ROOM
    ctypedef struct machine_step:
        uint32_t actor
        uint32_t kind
        uint32_t where
        const void *pc
    ctypedef struct machine_result:
        uint64_t states
        uint64_t ends
        uint32_t complete
        uint32_t depth
        const char *failure
        uint32_t failed
        uint32_t steps
    int machine_mutant
    iopf_crew *machine_crew()
    void *machine_head()
    void *machine_room()
    machine_result machine_explore(uint32_t actors, setup_function setup, run_function run, check_function check, uint32_t model,
                                   uint64_t most_states, int32_t preemptions)
    const machine_step *machine_trace()
    void machine_fail(const char *what)
    void machine_nap()

cdef struct program:
    const char *name
    uint32_t actors
    setup_function setup
    run_function run
    check_function check

cdef inline const char *unless(bint good, const char *what) noexcept nogil:
    """What a check returns: NULL, or what is wrong."""
    if good:
        return NULL
    return what

cdef inline object explored(program *table, size_t count, str name, uint32_t model, int mutant, uint64_t most_states, int32_t preemptions):
    """The result of a program of the table as a dictionary; None without such a program."""
    global machine_mutant
    cdef machine_result r
    cdef size_t i
    cdef const machine_step *t = machine_trace()
    for i in range(count):
        if (<bytes>table[i].name).decode() == name:
            machine_mutant = mutant
            r = machine_explore(table[i].actors, table[i].setup, table[i].run, table[i].check, model, most_states, preemptions)
            return {"states": r.states, "ends": r.ends, "complete": bool(r.complete), "depth": r.depth, "failed": r.failed,
                    "failure": None if r.failure == NULL else (<bytes>r.failure).decode(),
                    "trace": [(t[i].actor, t[i].kind, t[i].where, <uint64_t>t[i].pc) for i in range(r.steps)]}
    return None
