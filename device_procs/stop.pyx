# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Serving a stop request. Writers: see ``stop.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.link cimport link_filled, link_room
from iopf.cython_ext.wait cimport bell_ring
from iopf.device_procs.pri cimport *
from iopf.emulator.board.links cimport UP_MARKER, pack_up
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.pci cimport PRI_LAST


cdef void drop_retries(function *f, uint32_t pasid) noexcept nogil:
    cdef uint32_t i, kept = 0
    cdef group *g
    for i in range(f.retry_count):
        g = &f.groups[f.retry_list[i]]
        if g.pasid == pasid:
            f.d.dev.abandoned += g.count
            group_release(f, g, f.retry_list[i])
            group_done(f, g.tenant)
        else:
            f.retry_list[kept] = f.retry_list[i]
            kept += 1
    f.retry_count = kept
    st64_rlx(&f.d.dev.retry_groups, kept)


cdef bint stop_reached(function *f, uint32_t pasid) noexcept nogil:
    """Without a marker: no request of the PASID is open. With one: the marker is on the link and answers will be ignored."""
    cdef uint32_t i
    cdef bint any_open = False
    for i in range(f.window):
        if f.groups[i].state == GROUP_OPEN and f.groups[i].pasid == pasid:
            any_open = True
            if f.d.stop_kind:
                f.groups[i].ignored = 1
    if not f.d.stop_kind:
        return not any_open
    return send_marker(f, pasid)


cdef bint send_marker(function *f, uint32_t pasid) noexcept nogil:
    """A stop marker on the link; false when there is no room now."""
    cdef uint64_t *slot = link_room(f.v.self, &f.up, DEV_SEND)
    if slot == NULL:
        return False
    slot[0] = pack_up(UP_MARKER, pasid, True, False, False, False)
    slot[1] = PRI_LAST
    slot[2] = slot[3] = 0
    link_filled(&f.up)
    f.d.dev.markers += 1
    return True


cdef bint serve_stop(function *f) noexcept nogil:
    """A driver wants a PASID stopped: nothing new for it, and an acknowledgement once what is open is settled."""
    cdef uint32_t sequence = read32(f.v.self, &f.d.stop_request, DEV_RECEIVE), pasid, asker
    if sequence == f.d.stop_done:
        return False
    pasid = f.d.stop_pasid
    asker = f.d.stop_actor  # before the acknowledgement: the next one may ask right after it
    f.stopping = pasid + 1
    drop_retries(f, pasid)
    forget_hopeless(f, pasid + 1)
    if not stop_reached(f, pasid):
        return False
    publish(f)
    f.stopping = 0
    write32(f.v.self, &f.d.stop_done, sequence, DEV_RECEIVE)
    if asker < f.v.crew.actors:
        bell_ring(f.v.self, crew_actor(f.v.crew, asker), DEV_RECEIVE)
    return True
