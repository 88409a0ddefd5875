# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Actors, scheduling points and verdicts: declarations of ``crew.h``, which documents them.

Every primitive of this package takes the acting :c:type:`iopf_actor` and a *site*, a small number that identifies the call
(``emulator/spec/sites.pxd``). The point id is ``site << 8 | operation``.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "iopf/cython_ext/crew.h" nogil:
    enum:
        POINT_NORMAL
        POINT_NOISE
        POINT_CONTROLLED
        ACC_LOCAL
        ACC_READ
        ACC_WRITE
        ACC_RMW
        ACC_LOCK
        ACC_UNLOCK
        ACC_WAIT
        ACC_WAKE
        ACC_NAP
        ACC_FENCE
        ACC_DRAIN
        ACTOR_UNUSED
        ACTOR_STARTING
        ACTOR_READY
        ACTOR_RUNNING
        ACTOR_STOPPING
        ACTOR_DONE
        ACTOR_DEAD
        CREW_MAX_CLASSES
        CREW_VERDICTS
        CREW_MAGAZINES
        CREW_HELD

    ctypedef struct iopf_verdict:
        uint32_t kind
        uint32_t actor
        uint32_t site
        uint32_t cls
        uint64_t object
        uint64_t generation
        uint64_t detail
        uint32_t other_actor
        uint32_t ready

    ctypedef struct iopf_magazine:
        uint32_t head
        uint32_t count
        uint64_t allocs
        uint64_t frees
        uint64_t fails

    ctypedef struct iopf_actor:
        uint32_t last_point
        uint32_t mode
        uint64_t heartbeat
        uint64_t rng
        uint64_t points
        uint32_t noise_yield_in
        uint32_t noise_sleep_in
        uint32_t wait_site
        uint64_t wait_since_ns
        uint32_t armed_site
        uint32_t armed_at
        uint64_t rcu_epoch
        uint32_t rcu_nest
        uint32_t held_count
        uint32_t held[8]
        uint64_t searching
        uint32_t bell_seq
        uint32_t bell_waiters
        uint32_t slot
        uint32_t role
        uint32_t index
        uint32_t pid
        uint64_t start_time
        uint32_t state
        uint32_t exit_status
        uint64_t program_over
        uint64_t lost_site
        uint64_t sleeps
        uint64_t wakes
        uint64_t wait_timeouts
        uint64_t timeouts_with_work
        uint64_t yields
        uint64_t lock_waits
        uint64_t owner_deaths
        uint64_t steps
        uint64_t work[8]
        iopf_magazine magazine[16]

    ctypedef struct iopf_crew:
        uint32_t actors
        uint32_t stop
        uint64_t rcu_epoch
        uint64_t tick_mult
        uint32_t spins
        uint32_t yields
        uint32_t lockdep
        uint32_t poison
        uint32_t verdict_count
        uint32_t ref_limit
        uint64_t runqueue
        uint32_t drop
        uint32_t dropped
        uint32_t lock_order[32]
        iopf_verdict verdicts[16]

    iopf_crew *crew_of(const iopf_actor *self)
    iopf_actor *crew_actor(iopf_crew *crew, uint32_t slot)
    void point(iopf_actor *self, uint32_t id, const void *addr, uint32_t kind)
    uint64_t timed_ns(const iopf_actor *self, uint64_t ns, uint64_t idle_ns)
    int point_wait(iopf_actor *self, uint32_t id, volatile uint32_t *p, uint32_t want, uint64_t timeout_ns)
    void point_wake(iopf_actor *self, volatile uint32_t *p, uint32_t most)
    void point_nap(iopf_actor *self, uint32_t id, uint64_t ns)
    uint64_t actor_clock(const iopf_actor *self)
    uint64_t crew_ticks(const iopf_crew *crew)
    uint64_t crew_ticks_ns(const iopf_crew *crew, uint64_t ticks)
    void verdict_raise(iopf_actor *self, uint32_t kind, uint32_t cls, uint64_t object, uint64_t generation,
                       uint32_t other_actor, uint64_t detail, uint32_t site)

# The operation half of a point id: a step of a primitive. Names in ``crew.pyx``.
cpdef enum PointOp:
    OP_LOCAL = 0
    OP_LOCK_CAS = 1
    OP_LOCK_SLEEP = 2
    OP_UNLOCK = 3
    OP_READ_LOCK = 4
    OP_READ_UNLOCK = 5
    OP_WRITE_LOCK = 6
    OP_WRITE_UNLOCK = 7
    OP_BELL_ARM = 8
    OP_BELL_SLEEP = 9
    OP_BELL_RING = 10
    OP_REF_GET = 11
    OP_REF_PUT = 12
    OP_RCU_LOCK = 13
    OP_RCU_UNLOCK = 14
    OP_RCU_WAIT = 15
    OP_POOL_ALLOC = 16
    OP_POOL_GRAB = 17
    OP_POOL_FREE = 18
    OP_POOL_DEREF = 19
    OP_LINK_READ_HEAD = 20
    OP_LINK_PUBLISH = 21
    OP_LINK_READ_TAIL = 22
    OP_LINK_CONSUME = 23
    OP_RING_READ_HEAD = 24
    OP_RING_PUBLISH = 25
    OP_RING_READ_TAIL = 26
    OP_RING_CONSUME = 27
    OP_WORK_RESERVE = 28
    OP_WORK_PUBLISH = 29
    OP_WORK_TAKE = 30
    OP_WORK_DONE = 31
    OP_WORK_FLUSH = 32
    OP_EVENT = 33
    OP_HIST = 34
    OP_REG_READ = 35
    OP_REG_WRITE = 36
    OP_FIELD_READ = 37
    OP_FIELD_WRITE = 38
    OP_NAP = 39
    OP_LIST = 40
    OP_FIELD_RMW = 41
    OP_FENCE = 42
    OP_BELL_CANCEL = 43
    OP_DRAIN = 44

cpdef enum VerdictKind:
    VERDICT_NONE = 0
    VERDICT_USE_AFTER_FREE = 1
    VERDICT_DOUBLE_FREE = 2
    VERDICT_LOCK_ORDER = 3
    VERDICT_REFCOUNT = 4
    VERDICT_RCU = 5
    VERDICT_LIST = 6
    VERDICT_DOUBLE_ANSWER = 7
    VERDICT_ACCOUNT = 8
    VERDICT_BAD_WORD = 9
    VERDICT_LOCK_MISUSE = 10
    VERDICT_RECURSION = 11
    VERDICT_STALE_PASID = 12
    VERDICT_WILD = 13
    VERDICT_STALE_PARTIAL = 14
    VERDICT_EVENTFD = 15
    VERDICT_STALE_TRANSLATION = 16
