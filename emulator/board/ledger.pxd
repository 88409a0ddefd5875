# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""What becomes of requests: the name of each, the fates, the ledgers in which hardware and kernel note them, and how often each event
of the fate table has occurred.

Each side writes its own ledger only (``OFF_LEDGER_HW``, ``OFF_LEDGER_KERNEL``); the device reads both when it retires a request.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport xadd64_rlx
from iopf.emulator.board.board cimport view, view_region

cpdef enum Fate:
    FATE_NONE = 0
    FATE_ENQUEUED = 1
    FATE_AUTO_SUCCESS = 2
    FATE_AUTO_INVALID = 3
    FATE_DROP_OVERFLOW = 4
    FATE_DROP_REFUSED = 5
    FATE_LINK_DOWN = 6
    FATE_ANSWERED = 8        # in a group that got an answer
    FATE_DISCARDED = 9       # partial, overflow
    FATE_FREED = 10          # partial, removal
    FATE_REJECTED = 11
    FATE_NOMEM = 12
    FATE_UNANSWERED = 13     # a last request that will never be answered
    FATE_ACKNOWLEDGED = 14   # partial, answered Success before its last came

cpdef enum Event:  # rows of the fate table that no other counter tells
    EVENT_NO_PARAM = 0
    EVENT_WRONG_TYPE = 1
    EVENT_PARTIAL_NO_HANDLER = 2
    EVENT_LAST_NOMEM = 3
    EVENT_REFUSED = 4
    EVENT_NO_DOMAIN = 5
    EVENT_MM_DEAD = 6
    EVENT_PAGE_ERROR = 7
    EVENT_REMOVE_PENDING = 8
    EVENT_REMOVE_DELIVERED = 9
    EVENT_FLUSH = 10
    EVENT_UNBIND_USER = 11
    EVENT_UNREGISTER_BUSY = 12
    EVENT_DELIVERED = 13
    EVENT_PARTIAL_NOMEM = 14
    EVENT_REMOVE_IN_REPORT = 15  # the rest: what contained runs keep from going wrong
    EVENT_FLUSH_UNLISTED = 16
    EVENT_PLAIN_UNDRAINED = 17
    EVENTS = 18

cpdef enum KernelWarning:  # WARN_ON(!fault_param) of Linux, since v6.9: a stack trace in the log and a tainted kernel, at most
    WARN_IOMMU_REPORT_DEVICE_FAULT = 0
    WARN_IOPF_QUEUE_FLUSH_DEV = 1
    WARNINGS = 2

cdef enum:
    NO_UID = 0xFFFFFFFFFFFFFFFF

# A request's name: bits 0..55 its number among those of its device, bits 56..61 its place in the group. In controlled runs bits 32..55
# are the number of its group.
cdef inline uint64_t uid_of(uint64_t number, uint32_t place) noexcept nogil:
    return number | <uint64_t>place << 56

cdef inline uint64_t uid_number(uint64_t uid) noexcept nogil:
    return uid & ((<uint64_t>1 << 56) - 1)

cdef inline uint32_t *ledger(view *v, uint32_t which, uint32_t dev, uint32_t prgi, uint64_t uid) noexcept nogil:
    """What one side did with a request: low 24 bits of its number << 8 | fate. One entry per group index and place, so that an entry
    is taken over only by a later group with the same index."""
    cdef uint64_t slot = <uint64_t>prgi * (v.cfg.ledger_slots // 512) + ((uid >> 56) & 63)
    return <uint32_t *>view_region(v, which) + <uint64_t>dev * v.cfg.ledger_slots + (slot & (v.cfg.ledger_slots - 1))

cdef inline uint32_t ledger_word(uint64_t uid, uint32_t fate) noexcept nogil:
    return <uint32_t>(uid & 0xFFFFFF) << 8 | fate

cdef inline void reach(view *v, uint32_t event) noexcept nogil:
    """Counts that an event of the fate table has occurred."""
    xadd64_rlx(&v.board.reached[event], 1)

cdef inline void warn(view *v, uint32_t place) noexcept nogil:
    """Counts that a WARN_ON of the generation was true."""
    xadd64_rlx(&v.board.warned[place], 1)

cdef inline void reach_no_domain(view *v, uint32_t partials) noexcept nogil:
    """A last request without a handler: its partials had none either."""
    cdef uint32_t row = EVENT_PARTIAL_NO_HANDLER
    reach(v, EVENT_NO_DOMAIN)
    xadd64_rlx(&v.board.reached[row], partials)
