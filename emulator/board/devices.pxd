# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""One device on the board: what is set up for it, and the books that its three sides keep.

Each side writes its own part only, so no count needs a lock; ``emulator/check/account.py`` says how the parts must agree.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from iopf.cython_ext.mutex cimport rmutex

cdef struct devside:             # written by the device process
    uint64_t sent                # requests put on the link
    uint64_t groups_sent
    uint64_t groups_done
    uint64_t retired_ok          # requests of groups answered Success, Invalid, Failure
    uint64_t retired_invalid
    uint64_t retired_failure
    uint64_t open_requests       # credits in use
    uint64_t retries             # requests sent again because the page was still absent after Success
    uint64_t atc_hits
    uint64_t present             # accesses that needed no request
    uint64_t invalidations
    uint64_t unexpected          # responses that match no open group (UPRGI)
    uint64_t markers
    uint64_t by_overflow         # requests of groups that the hardware answered because of overflow
    uint64_t by_hardware         # requests of groups that the hardware answered Invalid
    uint64_t accesses            # what the workload asked for
    uint64_t abandoned           # not sent because the tenant or the run was over
    uint64_t forgotten           # open when PRI was switched off
    uint64_t gave_up             # retried as often as the limit allows
    uint64_t open_groups
    uint32_t stopped
    uint32_t failed              # RF bit of the PRI status
    uint64_t retry_groups        # answered Success, a page still absent, not yet sent again
    uint64_t early               # requests with private data whose own answer came before that of their group
    uint64_t pad[1]

cdef struct hwside:              # written by the IOMMU process
    uint64_t received            # page requests taken from the link
    uint64_t enqueued
    uint64_t auto_success        # last requests lost to overflow, answered Success
    uint64_t auto_invalid        # last requests refused by the tables, answered Invalid
    uint64_t drop_overflow       # non-last requests lost to overflow
    uint64_t drop_refused        # non-last requests refused by the tables
    uint64_t link_down           # requests of a function that is gone
    uint64_t malformed
    uint64_t markers
    uint64_t responses           # page group responses delivered
    uint64_t responses_lost      # the function is gone or its link is full
    uint64_t invalidations_sent
    uint64_t invalidations_done
    uint64_t pad[3]

cdef struct kernside:
    # the IRQ thread alone
    uint64_t popped              # records read from the queue
    uint64_t partial_added       # set aside
    uint64_t partial_moved       # taken into a group
    uint64_t discarded           # partial, freed at overflow
    uint64_t rejected            # answered or dropped without a record
    uint64_t dropped_nomem       # non-last, no memory
    uint64_t markers
    uint64_t groups
    # any kernel process, atomically
    uint64_t answered_ok         # requests of groups answered
    uint64_t answered_invalid
    uint64_t answered_failure
    uint64_t acknowledged        # partial, answered without their last (gunthorpe)
    uint64_t unanswered          # will never be answered: a defect of the generation
    uint64_t stale_pasid         # handled with another address space than the one that asked
    uint64_t injected            # injected by a driver
    uint64_t groups_settled      # groups taken off the pending list
    uint64_t freed               # partial, freed at removal of the device
    uint64_t binds
    uint64_t unbinds
    uint64_t pad[5]

cdef struct device:
    # configuration, and what the kernel sets up through it
    uint32_t rid
    uint32_t credits             # Outstanding Page Request Allocation
    uint32_t capacity            # Outstanding Page Request Capacity
    uint32_t pri_enabled         # PRI capability, Enable; written by the kernel
    uint32_t pre                 # context entry PRE: the IOMMU takes page requests; written by the kernel
    uint32_t link_up             # cleared by the supervisor when the function is gone
    uint32_t actor               # crew slot of the device process
    uint32_t stop_kind           # 0 wait for responses, 1 stop marker
    # kernel: struct device
    rmutex device_lock           # probe and remove
    rmutex group_lock
    rmutex param_lock
    uint64_t fault_param         # reference; since v6.9 published and read under RCU, before under param_lock
    uint64_t iopf_param          # until v6.8: what iopf_queue_add_device made; under param_lock
    uint32_t iopf_refcount
    uint32_t queue               # iopf queue + 1 that the device is on
    uint32_t handler             # until v6.8: a fault handler is registered; under param_lock
    uint32_t resets              # plugged in again: the function forgets what was open
    uint32_t registered          # in the driver's table of requester ids
    # stop of one PASID: a driver asks under group_lock, the device acknowledges
    uint32_t stop_request        # sequence number
    uint32_t stop_done           # the last one acknowledged; the device writes
    uint32_t stop_pasid
    uint32_t stop_actor          # who asked: the device rings it
    uint32_t order               # probe or remove: the supervisor asks, the hotplug process does
    uint32_t removing            # under sva_lock: no new bind
    uint32_t released            # driver 0 has removed it, the last time
    uint32_t probed              # driver 0 has probed it, the first time
    uint32_t max_pasids          # of this function
    uint32_t user_pasids[8]      # + 1: attached by user space besides SVA; under group_lock, read by any change of a mapping
    uint32_t contained           # groups that a contained removal has left to their workers; atomically
    uint32_t release_identity    # the release domain is identity, not blocking
    uint32_t busy                # defect busy-flag-two-flushers
    uint32_t dtlb_extra_inval    # completes an invalidation before its posted writes; the driver sends a second one
    uint32_t pad0
    uint64_t changes             # of what its PASIDs translate to; see changes.pxd
    uint64_t pad1[2]
    devside dev
    hwside hw
    kernside kern
    uint8_t reported[512]        # by group index: label + 1 of an event that a driver reported; the driver writes, the device reads
    uint64_t open_ticks[512]     # by group index: when the group was sent, 0 = not open; the device writes
