# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""What the IOMMU sends to its functions: responses and invalidations. The IOMMU process is the only writer of the downlinks.

A message is written at once and seen when ``flush_responses`` publishes it, which rings each function that got something once.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.crew cimport crew_actor
from iopf.cython_ext.link cimport link_filled, link_publish, link_room
from iopf.cython_ext.wait cimport bell_ring
from iopf.emulator.hw.vtd.engine cimport unit
from iopf.emulator.board.board cimport note_step
from iopf.emulator.board.ledger cimport uid_number
from iopf.emulator.board.links cimport DOWN_EARLY, DOWN_INVALIDATE, DOWN_RESPONSE, pack_down
from iopf.emulator.spec.sites cimport HW_INVALIDATE, HW_RESPOND

cdef enum:  # in the events of responses
    RESPONSE_AUTO = 1            # of the hardware itself
    RESPONSE_EARLY = 2           # for one request with private data

cdef inline void mark_dirty(unit *u, uint32_t dev) noexcept nogil:
    if not u.is_dirty[dev]:
        u.is_dirty[dev] = 1
        u.dirty[u.dirty_count] = dev
        u.dirty_count += 1

cdef inline bint send_response(unit *u, uint32_t dev, uint32_t pasid, bint pp, uint32_t prgi, uint32_t code, bint auto_response,
                               uint64_t submit_ticks, uint64_t uid) noexcept nogil:
    """A PRG Response towards the function, for the group with this last request; lost when the function is gone or has let its link fill
    up."""
    cdef uint64_t *slot = NULL
    if not u.gone[dev]:
        slot = link_room(u.v.self, &u.down[dev], HW_RESPOND)
    if slot == NULL:
        if u.gone[dev] or auto_response:
            u.v.devices[dev].hw.responses_lost += 1
        return False
    slot[0] = pack_down(DOWN_RESPONSE, code, prgi, pasid, pp)
    slot[1] = auto_response
    slot[2] = submit_ticks
    slot[3] = u.ticks
    link_filled(&u.down[dev])
    u.v.devices[dev].hw.responses += 1
    note_step(u.v, u.ticks, HW_RESPOND, uid_number(uid), <uint64_t>dev << 32 | code << 16 | (RESPONSE_AUTO if auto_response else 0))
    mark_dirty(u, dev)
    return True

cdef inline bint send_early_response(unit *u, uint32_t dev, uint32_t prgi, uint64_t uid) noexcept nogil:
    """The answer of one request with private data, which comes back as it was sent; the group's own answer is still to come."""
    cdef uint64_t *slot
    if u.gone[dev]:
        return True
    slot = link_room(u.v.self, &u.down[dev], HW_RESPOND)
    if slot == NULL:
        return False
    slot[0] = pack_down(DOWN_EARLY, 0, prgi, 0, False)
    slot[1] = 0
    slot[2] = uid
    slot[3] = u.ticks
    link_filled(&u.down[dev])
    note_step(u.v, u.ticks, HW_RESPOND, uid_number(uid), <uint64_t>dev << 32 | RESPONSE_EARLY)
    mark_dirty(u, dev)
    return True

cdef inline bint send_invalidation(unit *u, uint32_t dev, uint32_t pasid, uint64_t address, uint64_t pages) noexcept nogil:
    """Invalidates ``pages`` pages from ``address`` (0: all of the PASID) in the function; false without room on its link."""
    cdef uint64_t *slot
    if u.gone[dev]:
        u.regs.inval_errors += 1
        return True
    slot = link_room(u.v.self, &u.down[dev], HW_INVALIDATE)
    if slot == NULL:
        return False
    slot[0] = pack_down(DOWN_INVALIDATE, 0, 0, pasid, True)
    slot[1] = (address & ~<uint64_t>0xFFF) | (pages & 0xFFF)
    slot[2] = 0
    slot[3] = u.ticks
    link_filled(&u.down[dev])
    u.pending[dev] += 1
    u.pending_total += 1
    u.v.devices[dev].hw.invalidations_sent += 1
    mark_dirty(u, dev)
    return True

cdef inline void flush_responses(unit *u) noexcept nogil:
    """Publishes what was written to the downlinks, and rings each function once."""
    cdef uint32_t i, dev
    for i in range(u.dirty_count):
        dev = u.dirty[i]
        u.is_dirty[dev] = 0
        link_publish(u.v.self, &u.down[dev], HW_RESPOND)
        bell_ring(u.v.self, crew_actor(u.v.crew, u.v.devices[dev].actor), HW_RESPOND)
    u.dirty_count = 0
