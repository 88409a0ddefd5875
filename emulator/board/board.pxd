# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The board: everything that two processes share, by who writes it.

Hardware, kernel and devices meet here and nowhere else. Offsets are from the start of the arena (``layout.pxd``); ``view`` holds the
pointers of one process. Counts and sizes come from ``config``, which is written once before any process starts and checked on attach;
words that processes write at run time are checked where they are used.

Regions:

    who takes part         devices.pxd, tenants.pxd, iommus.pxd
    kernel objects         objects.pxd (pools), queues.pxd, pasid_table.pxd, ioasid.pxd
    on the way             links.pxd, vtd.pxd (records of the queues)
    what is kept           ledger.pxd, latency.pxd, progress.pxd, flow.pxd
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.crew cimport iopf_actor, iopf_crew
from iopf.cython_ext.event_ring cimport event_ring, event_write
from iopf.cython_ext.mutex cimport rmutex
from iopf.cython_ext.pool cimport pool
from iopf.cython_ext.wait cimport eventcount
from iopf.emulator.board.config cimport OPTION_NO_EVENTS, OPTION_STEPS, config
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.tenants cimport tenant

cdef struct board:
    uint64_t layout_hash
    uint64_t start_ns            # CLOCK_MONOTONIC when PHASE_RUNNING began
    uint64_t start_ticks         # the same in ticks of the crew
    uint32_t phase               # supervisor, which then rings every actor
    uint32_t ready               # counts processes that have come up; the supervisor's bell follows
    config cfg
    uint64_t offsets[35]
    # kernel globals
    rmutex sva_lock
    rmutex pasid_lock
    uint64_t mm_generation       # last one given out
    uint64_t rcu_retired         # fault_param objects waiting for a grace period: chain by free_next, index + 1
    rmutex queues_lock           # allocation of iopf queues; nests nothing
    uint32_t hold                # HOLD_*: stages that a program keeps from running
    uint32_t domains_left        # gunthorpe: detached, but user space still holds groups of them; under sva_lock
    uint32_t cut                 # controlled runs: programs may go on behind their `start`
    uint32_t refuse              # handlers refuse so many groups more; atomically
    eventcount hold_bell         # actors that are held sleep here
    eventcount domain_bell       # gunthorpe: an actor that frees a domain sleeps here until no group refers to it
    uint64_t fault_object[16]    # references; under sva_lock
    uint64_t reached[24]         # by event of the fate table (enum Event), how often; atomically
    uint64_t warned[8]           # by place of a WARN_ON of Linux (enum KernelWarning), how often; atomically
    int fault_fd[16]             # eventfds of the fault objects, the same number in every process; written before the start

cdef struct view:
    char *base
    uint64_t size
    board *board
    config cfg                   # a copy that was checked: the board's own may be overwritten at any time
    uint64_t offsets[35]         # the same; each lies inside the memory
    iopf_crew *crew
    iopf_actor *self
    device *devices
    tenant *tenants
    char *work               # the first workqueue
    uint64_t work_stride
    pool *pools[16]
    event_ring *events
    char *private_at             # memory for the state of the entry function; NULL: from the process's own heap
    char *private_end
    const void *flow         # kernel processes: what the generation does, and the driver of the IOMMU (kernel_attach)
    const void *ops

cdef int view_attach(view *v, char *base, uint64_t size, uint32_t slot) noexcept nogil

cdef void *private_alloc(view *v, uint64_t size) noexcept nogil

cdef inline void note_event(view *v, uint64_t ticks, uint32_t site, uint64_t a, uint64_t b) noexcept nogil:
    """One record in this actor's flight recorder; ``a`` is a PASID or a request's number within its device, for a group that of its last
    request; ``b`` is device << 32 | detail. `tools/watch/events.py` has the detail of each site."""
    if not v.cfg.options & OPTION_NO_EVENTS:
        event_write(v.self, v.events, ticks, site, a, b)

cdef inline void note_step(view *v, uint64_t ticks, uint32_t site, uint64_t a, uint64_t b) noexcept nogil:
    """The same for what happens to each request or at the hardware. Off in controlled runs, whose schedules it would make longer."""
    if v.cfg.options & OPTION_STEPS:
        event_write(v.self, v.events, ticks, site, a, b)

cdef inline char *view_region(view *v, uint32_t which) noexcept nogil:
    return v.base + v.offsets[which]
