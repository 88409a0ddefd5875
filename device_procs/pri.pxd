# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The page request interface of one PCIe function (PCIe 6.0, 10.4).

The device process alone writes its uplink, its ``devside`` counters, its ``open_ticks`` and its row of done counts. It reads
its downlink,
its control words (PRI enable, stop request), the PASID tables and page tables (as an IOMMU does for its translation requests).

Groups live in private memory: ``groups`` has one record per group that may be open, ``by_prgi`` says which record an open
group index uses.

    FREE -> (send) OPEN -> (Success, pages present | Invalid) FREE
                   OPEN -> (Success, a page still absent) RETRY -> (send, again) OPEN
                   OPEN -> (Failure) the function switches PRI off and forgets everything that is open
Credits count requests: each takes one when sent, and the response to the group returns those of the group.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from iopf.cython_ext.link cimport link_end
from iopf.device_procs.atc cimport atc_entry
from iopf.device_procs.workload cimport workload
from iopf.emulator.board.board cimport view
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.flow cimport flow

cdef enum:
    GROUP_FREE = 0
    GROUP_OPEN = 1
    GROUP_RETRY = 2
    NO_GROUP = 0xFFFF
    NO_LABEL = 0xFF

cdef enum:
    POSTED_MAX = 16

cdef struct posted_write:
    uint64_t address
    uint32_t pasid
    uint32_t mm_id

cdef enum:  # in the event of a send, beside the index: the group has requests already
    CONTINUED = 1 << 15

cdef struct group:
    uint32_t state
    uint32_t count
    uint32_t tenant
    uint32_t pasid
    uint32_t prgi
    uint32_t retries
    uint32_t ignored             # PASID stopped with a marker: the response only returns credits
    uint32_t closed              # its last request has been sent
    uint32_t label               # of a program's group, or NO_LABEL
    uint32_t again               # of a program's group: absent pages are requested again
    uint32_t shared              # another open group has the same index
    uint32_t rid                 # its requests have no PASID
    uint32_t unfinished          # of a replay: it gets no last request, so no gate waits for it
    uint32_t planned             # requests that it is to have, when they are sent in turn with those of others
    uint64_t early               # bit mask of requests that have had an answer of their own
    uint64_t private_data        # bit mask of requests with private data
    uint64_t serial              # of the device's groups, from 1
    uint64_t sent_ticks
    uint64_t not_before_ns       # for a retry
    uint64_t address[64]
    uint64_t number[64]          # of its requests among those of the device
    uint8_t rwx[64]

cdef struct function:
    view *v
    device *d
    uint32_t dev
    uint32_t window              # groups that may be open
    uint32_t credits
    uint32_t max_retries
    uint32_t atc_mask
    uint32_t over                # nothing more will be started
    uint64_t next_uid
    uint64_t serial
    uint64_t next_op             # of a replayed program
    uint64_t program
    uint64_t program_count
    uint32_t tenant              # of a synthetic workload
    uint32_t next_prgi
    uint64_t ready_epoch
    uint32_t free_count
    uint32_t retry_count
    uint32_t open_groups
    uint32_t open_requests
    uint32_t unfinished          # open groups of a replay that get no last request
    uint32_t owed                # invalidation completions not yet on the link
    uint32_t early_owed          # requests with private data in groups that ended without the kernel's answer: theirs may still come
    uint32_t stopping            # PASID being stopped, + 1
    uint32_t staged              # accesses of a group that waits for credits
    uint64_t staged_address[64]
    uint8_t staged_rwx[64]
    uint32_t batch_count         # groups whose requests are sent in turn; 0: none
    uint32_t batch_round
    uint32_t batch_at
    uint16_t *batch
    uint16_t *free_list
    uint16_t *retry_list
    group *groups
    atc_entry *atc
    workload work
    flow script                  # of a program
    uint32_t resets              # as last seen on the board
    uint32_t posted_count        # writes with an invalidated translation, still on their way; see posted.pxd
    posted_write posted[POSTED_MAX]
    uint64_t overflows           # that end the current operation
    link_end up
    link_end down
    uint16_t by_prgi[512]
    uint8_t label_by_prgi[512]   # + 1, of a program's group that had the index last

cdef function *function_make(view *v, uint32_t dev, uint32_t window, uint32_t atc_entries) noexcept nogil
cdef bint group_start(function *f, uint32_t ten, uint32_t pasid, const uint64_t *address, const uint8_t *rwx, uint32_t count,
                      uint32_t flags) noexcept nogil
cdef bint group_fits(function *f, uint32_t count) noexcept nogil
cdef bint send_retries(function *f, uint64_t now_ns, uint64_t *next_ns) noexcept nogil
cdef bint may_send(function *f, uint32_t count) noexcept nogil
cdef bint link_fits(function *f, uint32_t count) noexcept nogil
cdef uint32_t take_prgi(function *f) noexcept nogil
cdef void open_group(function *f, uint16_t index, uint32_t prgi, uint64_t now) noexcept nogil
cdef void send_request(function *f, group *g, uint64_t address, uint32_t rwx, bint last, uint64_t now) noexcept nogil
cdef void unlink_prgi(function *f, uint32_t prgi, uint16_t index) noexcept nogil
cdef void forget_group(function *f, uint16_t index) noexcept nogil
cdef bint fate_unanswered(function *f, group *g) noexcept nogil
cdef void leave_early(function *f, group *g) noexcept nogil
cdef void forget_all(function *f) noexcept nogil
cdef void forget_hopeless(function *f, uint32_t pasid1) noexcept nogil
cdef void group_release(function *f, group *g, uint16_t index) noexcept nogil
cdef void publish(function *f) noexcept nogil
cdef void group_done(function *f, uint32_t ten) noexcept nogil
cdef uint32_t credits_held(group *g) noexcept nogil
cdef uint16_t group_claim(function *f, uint32_t ten, uint32_t pasid) noexcept nogil
cdef void count_done(function *f, uint32_t ten) noexcept nogil
