# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Tracking the written pages of a mapping. See ``pages.h``."""

from libc.stdint cimport uint8_t, uint64_t

cdef extern from "iopf/cython_ext/pages.h" nogil:
    enum:
        PAGES_SHIFT
    int pages_watch(char *base, uint64_t bytes, uint8_t *mark)
    int pages_protect(char *base, uint64_t bytes)
    void pages_unwatch(char *base)
    void pages_escape(void (*escape)() noexcept nogil)
    uint64_t pages_wild()
