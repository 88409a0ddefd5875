# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Operations of programs, as the interpreters of tenants, devices and drivers read them from the board.

A record has op, flags, arg, t_ns, a, b, c, d (``prog_op``; packed ``<HHIQQQQQ``). ``emulator/program`` makes the
records from text and describes each operation for its users; ``emulator/trace`` makes those of replays.

    actor                operations
    tenant (its task)    DO_MAP to DO_SERVE
    device               DO_REQUEST to DO_TRANSLATE
    driver               DO_PLUG to DO_IOASID_FAIL
    any                  DO_TURN to OP_ELSE: order, waiting, repetition and choice
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

cpdef enum:
    # --- tenant ---
    DO_NONE = 0
    DO_MAP = 1               # a start, b end, arg attributes (protection in bits 0..7, kind in 8..)
    DO_UNMAP = 2             # a start, b end
    DO_PROTECT = 3           # a start, b end, arg protection
    DO_ZAP = 4               # a start, b end
    DO_MREMAP = 5            # a, b old range; c, d new range
    DO_FORK = 6              # arg tenant
    DO_EXEC = 7
    DO_EXIT = 8
    DO_BIND = 9              # arg device
    DO_UNBIND = 10           # arg device
    DO_NEW_MM = 11
    DO_WAIT_FORK = 12
    DO_GATE = 13             # a groups of this tenant that must be finished
    DO_WAIT_DEVICES = 14
    DO_SPAWN = 15            # the next process: exit what is there, then a new, empty address space
    DO_TOUCH = 16            # a start, b end, arg protection: the CPU's own page faults
    DO_FAULT_ALLOC = 17      # arg fault object: open
    DO_FAULT_CLOSE = 18      # arg fault object: close the descriptor
    DO_ATTACH = 19           # arg device, a PASID (0 = the RID), b domain kind, c fault object + 1
    DO_REPLACE = 20          # the same; needs an attached domain
    DO_DETACH = 21           # arg device, a PASID
    DO_FAULT_READ = 22       # arg fault object, a bytes of the buffer, b 1: the buffer is not mapped
    DO_FAULT_WRITE = 23      # arg fault object, a which: n-th cookie of all reads, from 0, b code, c cookie + 1 to write that one
    DO_SERVE = 24            # arg fault object, a groups to answer, b code: what a VMM does
    # --- device ---
    DO_REQUEST = 32          # of a replay
    DO_SEND = 33             # arg tenant + 1, a address, b PASID + 1, c pages | label << 16 | (prgi + 1) << 32
    DO_AWAIT = 34            # arg label + 1; 0: until nothing is open; b code + 1 that it must have, 0: any
    DO_MARKER = 35           # b PASID + 1, arg tenant + 1
    DO_RESET = 36
    DO_WAIT_BOUND = 37       # arg tenant: until it has bound this device
    DO_TRANSLATE = 39        # arg tenant + 1, a address, b PASID + 1, c pages: a translation request
    DO_OVERFLOW = 38         # arg tenant + 1, a address: groups until the queue overflows
    # --- driver ---
    DO_PLUG = 48             # arg device, as in all that follow where nothing else is said
    DO_REMOVE = 49
    DO_QUEUE_ADD = 50
    DO_QUEUE_REMOVE = 51
    DO_REGISTER = 52
    DO_UNREGISTER = 53
    DO_FLUSH = 54
    DO_DISCARD = 55          # arg device: of its queue
    DO_REPORT = 56           # a address, b PASID, c prgi | type << 16, d label + 1; flags as of a request
    DO_FAIL = 57             # arg pool, a which allocation fails, counted from 1
    DO_REFUSE = 58           # a: the handlers of the next so many groups refuse them
    DO_HOLD = 59             # arg 1 interrupt threads, 2 workers, 4 copies to user space
    DO_LET_GO = 60           # the same
    DO_SETTLE = 61           # until nothing moves any more except what is held
    DO_RESPOND = 62          # a PASID, b prgi, c code: a response from the driver without a group
    DO_DRAIN = 63            # a PASID
    DO_RECOVER = 64          # remove and plug, when PRI is off after Response Failure
    DO_IOASID_REGISTER = 66  # arg allocator, a function (variant << 8 | host + 1), b pdata
    DO_IOASID_UNREGISTER = 67  # arg allocator
    DO_IOASID_ALLOC = 68     # arg set, a least, b most, c private; returns the id
    DO_IOASID_FIND = 69      # arg set, a id; returns the private data
    DO_IOASID_SET = 70       # a id, b private
    DO_IOASID_FREE = 71      # a id
    DO_IOASID_FAIL = 72      # arg enum IoasidStep, a which one from now, counted from 1, b host
    DO_UNPLUG = 65           # surprise removal
    # --- any actor ---
    DO_TURN = 96             # arg sequence, a turn: waits for it; DO_PASS gives it on
    DO_PASS = 97             # arg sequence, a next turn, b actor that waits for it
    DO_BARRIER = 98          # arg barrier
    DO_PAUSE = 99            # a nanoseconds
    DO_REPEAT = 100          # a times (0: until the run stops), b record behind the matching DO_AGAIN
    DO_AGAIN = 101           # a record of the matching DO_REPEAT
    DO_CHOOSE = 102          # a number of branches; that many DO_BRANCH records follow
    DO_BRANCH = 103          # a weight, b first record of the branch
    DO_GOTO = 104            # a record
    DO_START = 105           # controlled runs: the schedule begins here; elsewhere nothing

cdef enum:
    OPERATIONS = 128         # tables of functions by number have so many places

cpdef enum:  # flags
    FLAG_READ = 1
    FLAG_WRITE = 2
    FLAG_EXEC = 4
    FLAG_PRIV = 8
    FLAG_LAST = 16
    FLAG_RID = 32            # a request without PASID
    FLAG_IMPLICIT = 128      # the exit that no line asks for
    FLAG_OPEN = 256          # of a replay: the group ends here, without a last request
    FLAG_RETRY = 512         # after Success the function asks again for what is still absent, as a workload does
    FLAG_TRY = 64            # the operation may fail: its error is noted and is no finding

cpdef enum:
    SEQUENCES = 32           # programs that several actors run in turns
    BARRIERS = 64
    LABELS = 64              # groups of a device that a program can name
    LABEL_OTHER = 63         # answers that match no group
    LOOPS = 8                # nesting of DO_REPEAT
    HOLD_IRQ = 1
    HOLD_WORKERS = 2
    HOLD_COPIES = 4
    DOMAIN_BLOCKING = 1
    DOMAIN_IDENTITY = 2
    DOMAIN_PAGING = 3        # no handler: faults of it are refused
    DOMAIN_FAULT = 4         # faults go to user space
    DOMAIN_SVA = 5
    FAULT_OBJECTS = 16

cdef struct prog_op:
    uint16_t op
    uint16_t flags
    uint32_t arg
    uint64_t t_ns
    uint64_t a
    uint64_t b
    uint64_t c
    uint64_t d
