# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Which process an end of a channel belongs to; the essay stands in ``channel_claim.pxd``."""

import os

from libc.stdint cimport uint64_t
from posix.unistd cimport getpid

from iopf.cython_ext.atomics cimport *

fork_count = 0


def _forked():
    global fork_count
    fork_count += 1


# A child has its own copy of the indices, which is stale as soon as somebody else goes on with the link.
os.register_at_fork(after_in_child=_forked)


def _start_time(pid: int) -> int:
    """When the process started, in clock ticks since boot; 0 when it runs no more."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in b"ZX" else int(fields[19])


cdef uint64_t claim_word(int pid) except? 0:
    """Names a process for good: its id alone may be given to another one later."""
    return <uint64_t>_start_time(pid) << CLAIM_PID_BITS | <uint64_t>pid


cdef uint64_t claim_take(uint64_t *place, uint64_t before, int *owner) except? 0:
    """Enters this process as the owner; returns its claim, or 0 with the running process that has it in ``owner``."""
    cdef uint64_t mine = claim_word(getpid()), word
    while True:
        word = ld64_acq(place)
        owner[0] = claim_pid(word)
        if word != 0 and word != before and claim_word(owner[0]) == word:
            return 0
        if cas64(place, word, mine):
            return mine


cdef void claim_drop(uint64_t *place, uint64_t word) noexcept:
    """Gives back a claim that this process made; a copy of it in a forked child has nothing to give."""
    if claim_pid(word) == getpid():
        cas64(place, word, 0)
