"""Exit statuses. They are the product: scripts read nothing else (`iopf help exit-codes`)."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """What the exit status of `iopf` says about the run."""

    OK = 0  # all checks held
    FAILED = 1  # a checked property failed
    USAGE = 2  # bad command line or scenario
    MACHINE = 3  # this machine cannot run it
    UNSUPPORTED = 4  # the scenario needs something that is not supported here
    DIED = 5  # a process died that was not asked to
    STUCK = 6  # no progress within the watchdog's bound
    UNTRUSTED = 7  # the result cannot be trusted, or iopf itself failed
    HUNG_UP = 129  # SIGHUP: partial result
    INTERRUPTED = 130  # SIGINT: partial result
    QUIT = 131  # SIGQUIT: partial result
    PIPE_CLOSED = 141  # the reader of our output went away
    TERMINATED = 143  # SIGTERM: partial result


STOPPED = (Status.INTERRUPTED, Status.TERMINATED, Status.HUNG_UP, Status.QUIT)


def stopped_by(number: int) -> Status:
    """The status of what a signal of `iopf.shm.procs.ENDING` has stopped."""
    return Status(128 + number)


class Failed(Exception):
    """Ends a command with one line on standard error, the text, and this status."""

    status: Status


# A campaign's status is that of its worst member; earlier is worse.
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
    Status.MACHINE,
    Status.UNSUPPORTED,
    Status.OK,
)
