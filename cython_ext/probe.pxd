# cython: language_level=3, cdivision=True
"""Python handles on the primitives, for tests and for tools that print the state of a board.

A ``Crew`` is one process's place in the crew; every other handle is a crew and the address of one primitive in the same
memory. Handles hold no state of their own, except the ends of a link, whose indices are private to a process by design.
"""

from libc.stdint cimport uint32_t, uint64_t

from cython_ext.crew cimport iopf_actor, iopf_crew
from cython_ext.event_ring cimport event_ring
from cython_ext.histogram cimport histogram
from cython_ext.link cimport link_end
from cython_ext.memory cimport Memory
from cython_ext.mutex cimport rmutex, rwlock
from cython_ext.pool cimport listhead, objhdr, pool
from cython_ext.record_ring cimport ring_end
from cython_ext.wait cimport eventcount
from cython_ext.work_ring cimport workring

cdef class Crew:
    cdef readonly Memory memory
    cdef readonly uint64_t offset
    cdef readonly uint32_t slot
    cdef iopf_crew *crew
    cdef iopf_actor *self
    cdef iopf_actor *_actor(self, uint32_t slot) except NULL

cdef class Handle:
    cdef readonly Crew crew
    cdef readonly uint64_t offset
    cdef iopf_actor *self
    cdef char *_place(self, Crew crew, uint64_t offset, uint64_t length) except NULL

cdef class EventCount(Handle):
    cdef eventcount *ec

cdef class Mutex(Handle):
    cdef rmutex *m

cdef class RwLock(Handle):
    cdef rwlock *lock

cdef class Refcount(Handle):
    cdef uint32_t *r

cdef class Pool(Handle):
    cdef pool *p
    cdef objhdr *_object(self, uint64_t ref) except NULL

cdef class List(Handle):
    cdef listhead *head
    cdef Pool pool

cdef class Link(Handle):
    cdef link_end end
    cdef readonly bint producer

cdef class RecordRing(Handle):
    cdef ring_end end

cdef class WorkRing(Handle):
    cdef workring *ring

cdef class EventRing(Handle):
    cdef event_ring *ring

cdef class Histogram(Handle):
    cdef histogram *hist
