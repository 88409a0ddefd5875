# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The IOMMU of the ``vtd`` profile (spec rev 5.10, 7.4 to 7.11). It knows nothing of Linux.

One process per unit: requests come in over a link per function, records go into the page request queue, commands come
out of the invalidation queue, responses and invalidations go out over a link per function. This process is the only
writer of PQT, the only one that sets PPR and PRO, the only reader of the uplinks and the only writer of the
downlinks.

Per request the first row that fits decides (``emulator/check/decisions.py`` has the table as data):
    the function or its PASID is not set up      last: Invalid; else dropped           (fault recorded, unless the entry aborts quietly)
    PRO is set                                   last: Success; else dropped           nothing else
    the queue is full                            last: Success; else dropped           PRO := 1, event
    otherwise                                    written                               PPR := 1, event
An event sends the interrupt only when PPR and PRO were both 0 before. A stop marker that cannot be queued disappears.
Records are published in batches; PPR is set after the tail that covers them, so software that clears PPR and then reads the
tail misses nothing.

Order: a link is first in, first out, so the completion of an invalidation arrives behind every request that the function sent
before it. A wait descriptor with page drain completes when every request that was on a link before it is in the queue or answered.

``engine.pyx`` takes requests and fills the queue, ``qi.pyx`` executes commands, ``hw/downlink.pxd`` sends responses and invalidations,
``hw/run.pyx`` sets a unit up and has its main loop.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from iopf.cython_ext.link cimport link_end
from iopf.cython_ext.record_ring cimport ring_end
from iopf.emulator.board.board cimport view
from iopf.emulator.board.iommus cimport iommu_regs, prq_note

cdef struct unit:
    view *v
    uint32_t index             # devices index, index + units, … are behind it
    uint32_t devices           # how many
    iommu_regs *regs
    prq_note *notes
    ring_end prq
    ring_end qi
    uint64_t prq_tail          # as written, published or not
    uint64_t prq_published
    uint64_t prq_head          # as last read
    uint64_t ticks
    uint32_t pending_total     # invalidations sent and not completed
    uint32_t dirty_count
    # by device
    uint32_t *pending
    uint32_t *dirty
    uint8_t *is_dirty
    uint8_t *gone
    link_end *up
    link_end *down

# Takes up to `most` messages from each link; returns how many in all.
cdef uint32_t serve_links(unit *u, uint32_t most) noexcept nogil
