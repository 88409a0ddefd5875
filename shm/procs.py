"""Identity of processes: a pid alone is reused, pid and start time together are not."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator

PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_MAY_BE_IGNORED = (signal.SIGHUP, signal.SIGQUIT)


def start_time(pid: int) -> int:
    """Start of a process in clock ticks since boot (field 22 of /proc/PID/stat); 0 when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            text = stat.read()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The command name is in parentheses and may hold anything; the fields after the last one do not.
    return int(text[text.rindex(b")") + 2 :].split()[19])


def state(pid: int) -> str:
    """One letter as in ps: R running, S sleeping, T stopped, Z zombie, - gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            text = stat.read()
    except (FileNotFoundError, ProcessLookupError):
        return "-"
    return chr(text[text.rindex(b")") + 2])


def is_alive(pid: int, started: int) -> bool:
    """Whether the process with this pid is the one that started then, and not a zombie."""
    return pid > 0 and start_time(pid) == started and state(pid) not in "ZX-"


def ending_signals() -> list[signal.Signals]:
    """Those of ENDING that end this process. Started by nohup, it does not hear a hang-up; in the background of a script, no quit."""
    return [
        number
        for number in ENDING
        if number not in _MAY_BE_IGNORED or signal.getsignal(number) is not signal.SIG_IGN
    ]


def ignore_ending() -> None:
    """For a child: all of ENDING go to the whole group, and its parent decides what they mean and ends what it has started."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Signals that end a process come behind this. While Python forks they would be lost in its hooks, or end a child with a traceback."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_parent(parent: int) -> None:
    """Ends this process by SIGKILL when its parent ends, whatever the reason; at once when it has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
