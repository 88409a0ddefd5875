# SPDX-License-Identifier: MIT
"""Single-stepping a child with ptrace, through ctypes. x86-64 only: the victim stops itself with ``int3``."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
from collections.abc import Callable

TRACEME, CONT, SINGLESTEP = 0, 7, 9

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int) -> None:
    if _libc.ptrace(request, pid, None, None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"ptrace request {request}: {os.strerror(error)}")


class Victim:
    """A forked child that traps itself and then runs one instruction at a time."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _ptrace(TRACEME, 0)
                function()
            finally:
                os._exit(70)
        self._expect_trap()

    def _expect_trap(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        if not os.WIFSTOPPED(status) or os.WSTOPSIG(status) != signal.SIGTRAP:
            if os.WIFSTOPPED(status):
                self.kill()
            raise RuntimeError(f"the victim did not stop at its trap: wait status {status:#x}")

    def step(self) -> None:
        """One instruction. A system call is one; a repeated string instruction is one for each repetition."""
        _ptrace(SINGLESTEP, self.pid)
        self._expect_trap()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        while not os.WIFSIGNALED(os.waitpid(self.pid, 0)[1]):
            pass


def why_not() -> str | None:
    """Why stepping is impossible here, or None."""
    if platform.machine() != "x86_64":
        return f"single-stepping is written for x86-64, this is {platform.machine()}"
    try:
        victim = Victim(lambda: os.kill(os.getpid(), signal.SIGTRAP))
        victim.step()
        victim.kill()
    except (OSError, RuntimeError) as error:
        return f"ptrace is not permitted here: {error}"
    return None
