# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The task of a tenant. See ``task.pxd``."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.tenants cimport tenant
from iopf.emulator.kernel.core.domain cimport domain_reap
from iopf.emulator.kernel.core.fault_param cimport rcu_reap
from iopf.emulator.kernel.proc.syscalls cimport *
from iopf.emulator.kernel.proc.syscalls_mm cimport sys_exit
from iopf.emulator.spec.roles cimport PHASE_ENDING
from iopf.emulator.spec.sites cimport *

cdef enum:
    BOX_POSTED = 1
    BOX_DONE = 2


cdef struct task_wait:
    view *v
    tenant *t


cdef uint64_t task_owed(void *arg) noexcept nogil:
    cdef task_wait *a = <task_wait *>arg
    return (read32(a.v.self, &a.t.box.state, TASK_WAIT) == BOX_POSTED or (ld32_acq(&a.t.dead) and not a.t.exited)
            or ld32_acq(&a.v.board.phase) >= PHASE_ENDING)


cdef int task_main(view *v, uint32_t ten) noexcept nogil:
    """Serves one tenant until it has exited and the machine ends."""
    cdef tenant *t = &v.tenants[ten]
    cdef files f
    cdef caller c
    cdef task_wait a
    cdef waiter w
    a.v, a.t = v, t
    c.v, c.t, c.index, c.f = v, t, ten, &f
    memset(&f, 0, sizeof(files))
    waiter_reset(&w)
    while True:
        v.self.heartbeat += 1
        if read32(v.self, &t.box.state, TASK_WAIT) == BOX_POSTED:
            t.box.ret = run_syscall(&c, t.box.op, t.box.args)
            write32(v.self, &t.box.state, BOX_DONE, TASK_RUN)
            bell_ring(v.self, crew_actor(v.crew, t.actor), TASK_RUN)
            waiter_reset(&w)
            continue
        if ld32_acq(&t.dead) and not t.exited:
            sys_exit(&c, t.box.args)
            continue
        if waiter_spin(v.self, &w):
            continue
        rcu_reap(v)
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            domain_reap(v)
            return 0
        wait_work(v.self, bell_of(v.self), task_owed, task_owed, &a, NULL, TASK_WAIT, &w)
