# SPDX-License-Identifier: MIT
"""Exit statuses, the interface for scripts (`iopf help exit-codes`)."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The exit status of `iopf`."""

    OK = 0  # all checks held
    FAILED = 1  # a check failed
    USAGE = 2  # invalid command line or scenario
    MACHINE = 3  # this machine cannot run it
    UNSUPPORTED = 4  # the scenario needs an unsupported feature
    DIED = 5  # a process died unexpectedly
    STUCK = 6  # no progress within the watchdog's time
    UNTRUSTED = 7  # the result cannot be trusted, or iopf itself failed
    INCONCLUSIVE = (
        8  # a proof's budget ended before its bounds, or a search could not have seen a failure
    )
    HUNG_UP = 129  # SIGHUP: partial result
    INTERRUPTED = 130  # SIGINT: partial result
    QUIT = 131  # SIGQUIT: partial result
    PIPE_CLOSED = 141  # the reader of the output closed it
    TERMINATED = 143  # SIGTERM: partial result


STOPPED = (Status.INTERRUPTED, Status.TERMINATED, Status.HUNG_UP, Status.QUIT)


def stopped_by(number: int) -> Status:
    """The status for a signal of `iopf.shm.procs.ENDING`."""
    return Status(128 + number)


class Failed(Exception):
    """End a command with one line on standard error, the text, and this status."""

    status: Status


# A campaign has the status of its worst member; the worst status comes first.
WORST_FIRST = (
    Status.TERMINATED,
    Status.HUNG_UP,
    Status.QUIT,
    Status.INTERRUPTED,
    Status.USAGE,
    Status.DIED,
    Status.STUCK,
    Status.FAILED,
    Status.UNTRUSTED,
    Status.INCONCLUSIVE,
    Status.MACHINE,
    Status.UNSUPPORTED,
    Status.OK,
)
