# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Ownership of the ends of a channel; see ``channel_claim.pxd``."""

import os

from libc.stdint cimport uint64_t
from posix.unistd cimport getpid

from iopf.cython_ext.atomics cimport *

fork_count = 0


def _forked():
    global fork_count
    fork_count += 1


# A child has its own copy of the indices, which is stale as soon as another process continues with the link.
os.register_at_fork(after_in_child=_forked)


def _start_time(pid: int) -> int:
    """Start time of the process in clock ticks since boot; 0 if it does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in b"ZX" else int(fields[19])


cdef uint64_t claim_word(int pid) except? 0:
    """A unique identity of a process: its id alone may be reused."""
    return <uint64_t>_start_time(pid) << CLAIM_PID_BITS | <uint64_t>pid


cdef uint64_t claim_take(uint64_t *place, uint64_t before, int *owner) except? 0:
    """Make this process the owner; return its claim, or 0 and the running owner in ``owner``."""
    cdef uint64_t mine = claim_word(getpid()), word
    while True:
        word = ld64_acq(place)
        owner[0] = claim_pid(word)
        if word != 0 and word != before and claim_word(owner[0]) == word:
            return 0
        if cas64(place, word, mine):
            return mine


cdef void claim_drop(uint64_t *place, uint64_t word) noexcept:
    """Release a claim of this process; a copy in a forked child releases nothing."""
    if claim_pid(word) == getpid():
        cas64(place, word, 0)
