# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Sending groups in turn. Batches: see ``interleave.pxd``."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.device_procs.pri cimport *
from iopf.device_procs.workload cimport workload_next, workload_over
from iopf.emulator.board.board cimport note_step
from iopf.emulator.board.layout cimport GROUP_MAX
from iopf.emulator.spec.pci cimport PRGI_COUNT
from iopf.emulator.spec.sites cimport DEV_SEND


cdef bint begin_batch(function *f, uint32_t pasid, uint64_t now_ns, uint64_t *next_ns) noexcept nogil:
    """Opens as many groups as are to be sent in turn and as credits, records and indexes allow; false when none can be."""
    cdef uint64_t now = crew_ticks(f.v.crew)
    cdef uint32_t n, planned = 0
    cdef uint16_t index
    cdef group *g
    if f.batch_count != 0:
        return False
    while f.batch_count < f.work.interleave and f.free_count != 0 and f.open_groups < PRGI_COUNT:
        if f.open_requests + planned + f.work.group_pages > f.credits:
            break
        index = f.free_list[f.free_count - 1]
        g = &f.groups[index]
        n = workload_next(&f.work, now_ns, g.address, g.rwx)
        if n == 0:
            if workload_over(&f.work):
                f.over = 1
            elif f.work.not_before_ns < next_ns[0]:
                next_ns[0] = f.work.not_before_ns
            break
        group_claim(f, f.tenant, pasid)
        g.planned = n
        open_group(f, index, take_prgi(f), now)
        f.batch[f.batch_count] = index
        f.batch_count += 1
        planned += n
        f.d.dev.accesses += n
    f.batch_round = f.batch_at = 0
    return send_batch(f)


cdef bint send_batch(function *f) noexcept nogil:
    """The first request of every group, then the second of every group, and so on, while there is room on the link."""
    cdef uint64_t now = crew_ticks(f.v.crew)
    cdef group *g
    cdef bint moved = False
    while f.batch_count != 0 and f.batch_round < GROUP_MAX:
        while f.batch_at < f.batch_count:
            g = &f.groups[f.batch[f.batch_at]]
            # A stop or a reset may have ended the group meanwhile, and another one may have its record.
            if g.state == GROUP_OPEN and not g.closed and g.count == f.batch_round and f.batch_round < g.planned:
                if not link_fits(f, 1):
                    return moved
                send_request(f, g, g.address[f.batch_round], g.rwx[f.batch_round], f.batch_round + 1 == g.planned, now)
                note_step(f.v, now, DEV_SEND, f.next_uid - 1, <uint64_t>f.dev << 32 | 1 << 16 | g.prgi
                          | (CONTINUED if f.batch_round else 0))
                moved = True
            f.batch_at += 1
        f.batch_at = 0
        f.batch_round += 1
    st64_rlx(&f.d.dev.open_requests, f.open_requests)
    st64_rlx(&f.d.dev.open_groups, f.open_groups)
    f.batch_count = 0
    return moved
