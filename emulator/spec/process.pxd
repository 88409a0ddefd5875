# cython: language_level=3, cdivision=True
from cython_ext.memory cimport Memory
from emulator.spec.board cimport view

cdef class Process:
    cdef view v
    cdef readonly Memory memory
    cdef readonly unsigned int slot
    cdef unsigned long long started_cpu_ns
