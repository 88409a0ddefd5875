# SPDX-License-Identifier: MIT
"""Identity of processes: pids are reused, pid and start time together are not."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Iterator

PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_MAY_BE_IGNORED = (signal.SIGHUP, signal.SIGQUIT)


def start_time(pid: int) -> int:
    """Start time of the process in clock ticks since boot (field 22 of /proc/PID/stat); 0 if it does not exist."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            text = stat.read()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The command name is in parentheses and may contain anything; parse after its last parenthesis.
    return int(text[text.rindex(b")") + 2 :].split()[19])


def state(pid: int) -> str:
    """State letter as in ps: R running, S sleeping, T stopped, Z zombie; - if it does not exist."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            text = stat.read()
    except (FileNotFoundError, ProcessLookupError):
        return "-"
    return chr(text[text.rindex(b")") + 2])


def is_alive(pid: int, started: int) -> bool:
    """Whether the process with this pid started at that time and is not a zombie."""
    return pid > 0 and start_time(pid) == started and state(pid) not in "ZX-"


def ending_signals() -> list[signal.Signals]:
    """The signals of ENDING that end this process. Under nohup SIGHUP is ignored, in the background of a script SIGQUIT."""
    return [
        number
        for number in ENDING
        if number not in _MAY_BE_IGNORED or signal.getsignal(number) is not signal.SIG_IGN
    ]


def ignore_ending() -> None:
    """For a child: ignore ENDING, which is sent to the whole group; the parent decides and ends its children."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def allow_descriptors(count: int) -> int | None:
    """Raise the soft limit of open files to `count` if it is lower; the hard limit if that is too low as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            return hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return None


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Defer ending signals in this block. During a fork they would be lost in Python's hooks, or end a child with a traceback."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_parent(parent: int) -> None:
    """Kill this process when its parent dies, for any reason; immediately if it is already dead."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
