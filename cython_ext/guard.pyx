# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Faults of a process that reads a board which others may damage. See ``guard.h``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.memory cimport Memory

cdef extern from "iopf/cython_ext/guard.h" nogil:
    int guard_start(const char *line, const char *path, int status)
    void guard_stop()
    int guard_add(char *start, uint64_t size)
    void guard_remove(int which)
    uint32_t guard_replaced(int which)

cdef int _open = 0


cdef class Guard:
    """While open, a page of ``memory`` that has no file behind it any more reads as zeros, and ``replaced`` counts it. Any other invalid
    access of the process prints ``line``, removes the file ``path`` if it is not empty, and exits with ``status``.

    The line, path and status are those of the first guard that is open. Raises ValueError: too many guards, or texts of over 250 bytes.
    """

    cdef int which
    cdef Memory memory

    def __cinit__(self, Memory memory not None, str line, str path, int status):
        global _open
        self.which = -1
        if _open == 0 and guard_start(line.encode(), path.encode(), status) != 0:
            raise ValueError("the text of a guard is too long")
        self.which = guard_add(memory.base, memory.size)
        if self.which < 0:
            if _open == 0:
                guard_stop()
            raise ValueError("too many guards are open")
        self.memory = memory
        _open += 1

    def __dealloc__(self):
        self.close()

    @property
    def replaced(self) -> int:
        """Pages that were read although the file had ended."""
        return guard_replaced(self.which) if self.which >= 0 else 0

    cpdef close(self):
        global _open
        if self.which < 0:
            return
        guard_remove(self.which)
        self.which = -1
        _open -= 1
        if _open == 0:
            guard_stop()


def unguard() -> None:
    """For a child: invalid accesses end it as they would without any guard."""
    global _open
    if _open:
        guard_stop()
        _open = 0
