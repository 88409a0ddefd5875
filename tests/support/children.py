# SPDX-License-Identifier: MIT
"""Real child processes for tests: fork, run one function, send back what it returned or raised.

Every wait has a timeout. A child that does not return in time is killed, and the error names the child with the caller's ``report``.
Leaving the context kills and reaps all remaining children.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn, Self

GRACE_S = 30.0


class ChildError(AssertionError):
    """A child failed, died or did not end in time."""


class Child:
    """One forked process that runs ``function(*args)``."""

    def __init__(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], bound_s: float
    ) -> None:
        self.name = name
        self.status: int | None = None
        self._data = b""
        self._pipe, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _run(writer, self._pipe, function, args, bound_s)
        os.close(writer)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self._reap()

    def _reap(self) -> None:
        self.status = os.waitpid(self.pid, 0)[1]
        os.close(self._pipe)

    def collect(self, until: float) -> bool:
        """Read until the end of the pipe; false at the deadline."""
        while self.status is None:
            ready, _, _ = select.select([self._pipe], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return False
            piece = os.read(self._pipe, 1 << 16)
            if not piece:
                self._reap()
            self._data += piece
        return True

    def outcome(self) -> Any:
        """The result of the function; ``ChildError`` with the child's traceback if it raised or died."""
        if self.status != 0 or not self._data:
            raise ChildError(f"{self.name} ended with wait status {self.status}")
        good, value = pickle.loads(self._data)
        if not good:
            raise ChildError(f"{self.name} raised:\n{value}")
        return value


def _run(
    writer: int, reader: int, function: Callable[..., Any], args: tuple[Any, ...], bound_s: float
) -> NoReturn:
    """Runs in the child; never returns into the code of the parent."""
    try:
        os.close(reader)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, bound_s + GRACE_S)
        try:
            message = pickle.dumps((True, function(*args)))
        except BaseException:
            message = pickle.dumps((False, traceback.format_exc()))
        while message:
            message = message[os.write(writer, message) :]
        os._exit(0)
    finally:
        os._exit(70)


class Children:
    """A group of children with one deadline. ``results`` are in the order of the starts."""

    def __init__(self, bound_s: float = 30.0, report: Callable[[], str] | None = None) -> None:
        self.bound_s = bound_s
        self.report = report
        self.members: list[Child] = []

    def start(self, function: Callable[..., Any], *args: Any) -> Child:
        name = f"child {len(self.members)} ({getattr(function, '__name__', 'function')})"
        self.members.append(Child(name, function, args, self.bound_s))
        return self.members[-1]

    def results(self) -> list[Any]:
        """Wait for all that were not killed."""
        until = time.monotonic() + self.bound_s
        late = [child.name for child in self.members if not child.collect(until)]
        if late:
            told = self.report() if self.report else ""
            raise ChildError(f"not back after {self.bound_s} s: {', '.join(late)}\n{told}")
        return [child.outcome() for child in self.members if child.status != signal.SIGKILL]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self.members:
            child.kill()


def run_together(
    *functions: Callable[[], Any], bound_s: float = 30.0, report: Callable[[], str] | None = None
) -> list[Any]:
    """Run each function concurrently in its own process; return their results."""
    with Children(bound_s, report) as children:
        for function in functions:
            children.start(function)
        return children.results()
