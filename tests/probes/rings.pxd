# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The handles of ``rings.pyx``."""

from iopf.cython_ext.event_ring cimport event_ring
from iopf.cython_ext.histogram cimport histogram
from iopf.cython_ext.link cimport link_end
from tests.probes.crew cimport Handle
from iopf.cython_ext.record_ring cimport ring_end

cdef class Link(Handle):
    cdef link_end end
    cdef readonly bint producer

cdef class RecordRing(Handle):
    cdef ring_end end

cdef class EventRing(Handle):
    cdef event_ring *ring

cdef class Histogram(Handle):
    cdef histogram *hist
