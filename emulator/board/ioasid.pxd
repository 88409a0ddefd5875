# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The IOASID framework on the board: the region ``OFF_IOASID``, its bounds and its numbers.

Pointers of Linux are numbers here. A pointer to an ``ioasid_allocator_ops`` is an ``ident`` that the caller chooses; a pair of function
pointers is a pair of function numbers; a getter is one of ``Getter``; an ``ioasid_set`` is its number. Writers and rules:
see ``emulator/kernel/ioasid/ioasid.pxd``.

Bounds that Linux does not have: ids are below ``IOASID_IDS`` in every space (a larger ``max`` is cut), at most ``IOASID_OBJECTS`` ids
are out at a time, at most ``IOASID_ALLOCATORS`` spaces are registered, each shared by at most ``IOASID_SHARERS`` ops. Beyond them the
answer is that of a failed allocation.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.mutex cimport rmutex
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport OFF_IOASID

cpdef enum:
    IOASID_IDS = 4096
    IOASID_OBJECTS = 256
    IOASID_ALLOCATORS = 16
    IOASID_SHARERS = 8
    VCMD_BACKENDS = 4

cdef enum:
    IOASID_DEFAULT = 16          # the table of the default allocator; a custom one has that of its pool index
    IOASID_SPACES = 17
    IOASID_STATE_BYTES = 4096    # the tables follow it
    IOASID_BYTES = IOASID_STATE_BYTES + IOASID_SPACES * IOASID_IDS * 8

cdef enum:
    INVALID_IOASID = 0xFFFFFFFF

cpdef enum Getter:
    GETTER_NONE = 0
    GETTER_FALSE = 1             # finds every object invalid
    GETTER_MMGET = 2             # mmget_not_zero: private is the reference of an mm

cpdef enum IoasidSet:
    IOASID_SET_NONE = 0
    IOASID_SET_SVA = 1           # iommu_sva_pasid

cpdef enum IoasidStep:           # of an allocation; each can be made to fail
    STEP_HOST = 0                # the host refuses a number
    STEP_REPEAT = 1              # the host gives the last number once more
    STEP_RECORD = 2              # the number cannot be recorded, as without memory

cdef enum IoasidOp:              # what the holder of the lock is in the middle of
    IOASID_OP_NONE = 0
    IOASID_OP_ALLOC = 1
    IOASID_OP_FREE = 2

cdef struct ioasid_ops:          # what a caller registers
    uint32_t ident               # never 0
    uint32_t alloc_fn
    uint32_t free_fn
    uint64_t pdata

cdef struct vcmd:                # the host behind a virtual command interface
    uint32_t fail_nth            # the n-th allocation from now is refused; 0: none is
    uint32_t repeat_nth          # the n-th allocation from now gives the last number once more
    uint32_t last                # the number given last
    uint32_t pad0
    uint64_t allocs
    uint64_t frees
    uint64_t refused
    uint64_t bad_frees           # of numbers that were not given out
    uint64_t alloc_pdata         # of the last call
    uint64_t free_pdata
    uint64_t bits[64]            # numbers given out, to this guest or another

cdef struct ioasid_state:
    rmutex lock
    uint64_t active              # reference of the active allocator, 0: the default one
    uint32_t op                  # enum IoasidOp
    uint32_t id                  # of that operation; INVALID_IOASID: none taken yet
    uint64_t data                # of that operation: reference
    uint32_t retired_ids         # ioasid_data that wait for a grace period: index + 1, chained by free_next
    uint32_t retired_allocators
    uint32_t record_fail_nth     # the n-th record in a table from now fails as without memory; 0: none does
    uint32_t pad0
    uint64_t seq                 # registrations so far
    uint64_t warnings            # spaces that were given up with ids outstanding (WARN_ON of Linux)
    uint64_t ids_lost            # ids in them
    uint64_t unknown             # calls for an unknown id (an error message of Linux)
    uint64_t repairs             # takeovers of the lock from the dead
    uint64_t registered[16]      # by pool index: reference of the allocator on the list, or 0
    uint32_t outstanding[17]     # ids in each table
    uint32_t pad1
    vcmd backends[4]

cdef inline ioasid_state *ioasid_of(view *v) noexcept nogil:
    return <ioasid_state *>view_region(v, OFF_IOASID)

cdef inline uint64_t *ioasid_table(view *v, uint32_t space) noexcept nogil:
    """References of one space by id; ``space`` is below IOASID_SPACES."""
    return <uint64_t *>(view_region(v, OFF_IOASID) + IOASID_STATE_BYTES) + <uint64_t>space * IOASID_IDS
