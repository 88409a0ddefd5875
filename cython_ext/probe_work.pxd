# cython: language_level=3, cdivision=True
"""The handles of ``probe_work.pyx``: what each one keeps."""

from cython_ext.probe_crew cimport Handle
from cython_ext.work_ring cimport workring

cdef class WorkRing(Handle):
    cdef workring *ring
