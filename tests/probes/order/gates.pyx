# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Programs over the gates of tenants and over the token of the run queue.

``gate_text.pxi`` holds the text of the functions themselves, taken from their modules when the copy is made; here are the few fields that
they use. The rest of a tenant and of a device has no part in a gate.

    gate        a device finishes a group, the tenant waits for it
    two groups  two devices, a group each
    next gate   the tenant waits at one gate after the other
    failure     a device fails instead
    token       the token goes from the supervisor to an actor and back
    relay       it goes through two actors
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *
from tests.probes.order.machine cimport *

cdef enum:
    ETIMEDOUT = 110
    DO_GATE = 1
    DO_WAIT_FORK = 2
    TENANT_GATE = 1
    DEV_RECEIVE = 2
    NO_SLOT = 0
    YIELDS = 2

cdef struct tenant:
    uint32_t gate_waiting
    uint32_t actor
    uint32_t started
    uint64_t devices[1]

cdef struct device_side:
    uint32_t failed

cdef struct device:
    device_side dev
    uint32_t link_up

cdef struct config:
    uint32_t tenants
    uint32_t devices

cdef struct view:
    iopf_actor *self
    iopf_crew *crew
    config *cfg
    tenant *tenants
    device *devices

cdef struct runner:
    view *v
    tenant *t
    uint32_t index

cdef struct function:
    view *v
    device *d
    uint32_t dev

cdef struct prog_op:
    uint32_t op
    uint64_t a

cdef struct gate_wait:
    runner *r
    prog_op *op
    uint64_t at

cdef struct rq_slot:
    uint32_t go
    uint32_t asleep

cdef struct runqueue:
    rq_slot slot[4]

cdef struct words:
    config cfg
    tenant tenants[1]
    uint64_t pad0[4]
    device devices[2]
    uint64_t pad1[4]
    uint64_t done[2]
    uint64_t pad2[4]
    runqueue rq
    uint64_t rounds          # plain: changed by the holder of the token


cdef inline words *at() noexcept nogil:
    return <words *>machine_room()


cdef inline uint64_t *done_count(view *v, uint32_t dev, uint32_t ten) noexcept nogil:
    return &at().done[dev]


cdef inline uint64_t owed_by(runner *r, uint32_t dev, uint64_t at) noexcept nogil:
    return 1


cdef inline bint releasing(runner *r) noexcept nogil:
    return False


cdef inline bint devices_stopped(runner *r) noexcept nogil:
    return False


include "gate_text.pxi"


cdef void board() noexcept nogil:
    at().cfg.tenants = 1
    at().cfg.devices = 2
    at().devices[0].link_up = at().devices[1].link_up = 1
    at().tenants[0].devices[0] = 3


cdef void look_at(view *v, uint32_t me) noexcept nogil:
    v.crew = machine_crew()
    v.self = crew_actor(v.crew, me)
    v.cfg = &at().cfg
    v.tenants = at().tenants
    v.devices = at().devices


cdef void pass_gate(uint32_t me, uint64_t groups) noexcept nogil:
    cdef view v
    cdef runner r
    cdef prog_op op
    look_at(&v, me)
    r.v, r.t, r.index = &v, &v.tenants[0], 0
    op.op, op.a = DO_GATE, groups
    wait_for(&r, &op, 0)
    if not gate_open(&r, groups, 0):
        machine_fail("the tenant has passed a gate that is shut")


cdef void finish_groups(uint32_t me, uint32_t dev, uint32_t groups) noexcept nogil:
    cdef view v
    cdef function f
    cdef uint32_t _i
    look_at(&v, me)
    f.v, f.d, f.dev = &v, &v.devices[dev], dev
    for _i in range(groups):
        count_done(&f, 0)


cdef void fail(uint32_t me) noexcept nogil:
    """What ``pri_failure`` says last."""
    cdef view v
    cdef function f
    look_at(&v, me)
    f.v, f.d, f.dev = &v, &v.devices[0], 0
    write32(v.self, &f.d.dev.failed, 1, DEV_RECEIVE)
    ring_gates(&f)


cdef void gate_run(uint32_t me) noexcept nogil:
    if me == 0:
        pass_gate(me, 1)
    else:
        finish_groups(me, 0, 1)


cdef void two_groups_run(uint32_t me) noexcept nogil:
    if me == 0:
        pass_gate(me, 2)
    else:
        finish_groups(me, me - 1, 1)


cdef void next_gate_run(uint32_t me) noexcept nogil:
    if me == 0:
        pass_gate(me, 1)
        pass_gate(me, 2)
    else:
        finish_groups(me, 0, 2)


cdef void failure_run(uint32_t me) noexcept nogil:
    if me == 0:
        pass_gate(me, 1)
    else:
        fail(me)


cdef void turn(uint32_t number) noexcept nogil:
    if at().rounds != number:
        machine_fail("an actor runs without the token")
    at().rounds += 1


cdef void relay(uint32_t me, uint32_t last) noexcept nogil:
    """Two rounds through all actors; the supervisor, slot 0, waits for the end of each."""
    cdef uint32_t i
    for i in range(2):
        if me == NO_SLOT:
            turn(i * (last + 1))
            give(&at().rq, 1)
            if not token(&at().rq, NO_SLOT, RELAY_NS):
                machine_fail("the token has not come back")
        else:
            await_token(&at().rq, me)
            turn(i * (last + 1) + me)
            give(&at().rq, me + 1 if me < last else NO_SLOT)


cdef enum:
    RELAY_NS = 1000000000


cdef void token_run(uint32_t me) noexcept nogil:
    relay(me, 1)


cdef void relay_run(uint32_t me) noexcept nogil:
    relay(me, 2)


cdef const char *passed() noexcept nogil:
    return unless(at().tenants[0].gate_waiting == 0, "the tenant is still marked as waiting")


cdef const char *good() noexcept nogil:
    return NULL


cdef program programs[6]
programs[0] = program(b"gate", 2, board, gate_run, passed)
programs[1] = program(b"two groups", 3, board, two_groups_run, passed)
programs[2] = program(b"next gate", 2, board, next_gate_run, passed)
programs[3] = program(b"failure", 2, board, failure_run, passed)
programs[4] = program(b"token", 2, board, token_run, good)
programs[5] = program(b"relay", 3, board, relay_run, good)


def explore(str name, uint32_t model, int mutant, uint64_t most_states, int32_t preemptions):
    return explored(programs, 6, name, model, mutant, most_states, preemptions)
