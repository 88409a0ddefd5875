# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Where everything stands on the board: regions, limits, and the sizes that no structure tells."""

cdef enum:
    MAX_DEVICES = 256
    MAX_TENANTS = 256
    MAX_HANDLERS = 32
    MAX_UNITS = 8            # IOMMUs
    MAX_DRIVERS = 8
    GROUP_MAX = 64
    BOARD_AT = 4096          # the first page belongs to the header of the arena
    USER_BUFFER = 8192           # bytes; 200 requests
    RQ_PRIVATE = 65536
    RQ_STACK = 65536
    RQ_SLOT_MAX = 32             # RQ_SLOTS of runqueue.h

cpdef enum:  # indices of board.offsets
    OFF_CREW = 0
    OFF_DEVICES = 1
    OFF_UPLINKS = 2
    OFF_DOWNLINKS = 3
    OFF_PASID_TABLES = 4
    OFF_PASID_ARRAYS = 5
    OFF_PRQ_RECORDS = 6
    OFF_PRQ_NOTES = 7
    OFF_QI_RECORDS = 8
    OFF_QI_NOTES = 9
    OFF_WORK = 10
    OFF_POOLS = 11
    OFF_TENANTS = 12
    OFF_VMAS = 13
    OFF_LEDGER_HW = 14
    OFF_LEDGER_KERNEL = 15
    OFF_PROGRAMS = 16
    OFF_HISTOGRAMS = 17
    OFF_EVENTS = 18
    OFF_DONE = 19
    OFF_PASID_BITMAP = 20
    OFF_META = 21
    OFF_IOASID = 22
    OFF_IOMMUS = 23
    OFF_QUEUES = 24
    OFF_DRIVERS = 25
    OFF_RESULTS = 26         # of every program record: the last return value
    OFF_LABELS = 27
    OFF_SEQUENCES = 28
    OFF_BARRIERS = 29
    OFF_PARTIAL_LISTS = 30
    OFF_USER_BUFFERS = 31    # of tenants: what a read of a fault object has copied
    OFF_PRIVATE = 32         # controlled runs: the state of every entry function, RQ_PRIVATE bytes each
    OFF_STACKS = 33          # controlled runs: RQ_STACK bytes of each actor
    OFF_RUNQUEUE = 34        # controlled runs: cython_ext/runqueue.h; the last, in pages of its own
    OFF_COUNT = 35

cdef dict pool_shapes(dict c)
