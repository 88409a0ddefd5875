# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Stopping a PASID on the device's side (PCIe 6.0, 10.4.1.2).

    stop_request, stop_pasid, stop_actor   the driver, under group_lock; the request last (release)
    stop_done                              the device, once nothing of the PASID is open, or the marker is on the link (release)
Without a marker the function waits for the responses of its open groups.
With one it acknowledges at once; later responses only return credits.
"""

from libc.stdint cimport uint32_t

from iopf.device_procs.pri cimport function

cdef bint serve_stop(function *f) noexcept nogil
cdef bint send_marker(function *f, uint32_t pasid) noexcept nogil
