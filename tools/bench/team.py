# SPDX-License-Identifier: MIT
"""Processes that are measured together: they set up, start at one moment, and end together.

A worker is a generator function and runs in its own forked process:

    set up              create sockets, attach to queues
    yield               ... until all have set up
    settle              whatever needs the others to be set up
    yield               ... until all have settled; here the clock starts
    work
    yield value         the clock stops; the value goes to the parent, ... until all have worked
    clean up

So no process closes a queue while another still reads it. Each process has one pipe for reports (it writes, the parent reads) and one
for continuing (the parent writes). A worker that fails, dies or takes too long ends the measurement with TeamError and leaves no
process behind.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

Worker = Callable[[], Generator[Any, None, None]]
PHASES = 3
_PR_SET_PDEATHSIG = 1


class TeamError(RuntimeError):
    """A worker failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one worker. Times are those of CLOCK_MONOTONIC, which all processes share."""

    value: Any
    began_ns: int
    ended_ns: int
    cpu_ns: int  # of all threads of the process, from the start until all have finished


@dataclass(slots=True)
class _Member:
    pid: int
    reports: int  # file descriptors
    orders: int
    text: bytes = b""

    def next_line(self) -> str | None:
        line, newline, rest = self.text.partition(b"\n")
        if not newline:
            return None
        self.text = rest
        return line.decode()


def run_team(workers: Sequence[Worker], timeout_s: float = 60.0) -> list[Report]:
    """Run the workers and return their reports in the same order."""
    deadline = time.monotonic() + timeout_s
    members: list[_Member] = []
    try:
        for worker in workers:
            members.append(_start(worker))
        for _ in range(PHASES):
            values = _gather(members, deadline)
            for member in members:
                os.write(member.orders, b"\n")
        ends = _gather(members, deadline)
    finally:
        _dismiss(members)
    return [
        Report(value["value"], value["began_ns"], value["ended_ns"], end["cpu_ns"])
        for value, end in zip(values, ends, strict=True)
    ]


def _start(worker: Worker) -> _Member:
    reports_read, reports_write = os.pipe()
    orders_read, orders_write = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reports_read)
        os.close(orders_write)
        _be_worker(worker, parent, reports_write, orders_read)
    os.close(reports_write)
    os.close(orders_read)
    return _Member(pid, reports_read, orders_write)


def _be_worker(worker: Worker, parent: int, reports: int, orders: int) -> NoReturn:
    """The body of the forked process. It must not return into the parent's code."""
    status = 1
    try:
        # A loop that waits for a dead partner would outlive an interrupted benchmark.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            _work(worker, reports, orders)
            status = 0
    except BaseException:
        _send(reports, {"error": traceback.format_exc().strip().splitlines()[-1]})
    finally:
        os._exit(status)


def _work(worker: Worker, reports: int, orders: int) -> None:
    steps = worker()
    for _ in range(PHASES - 1):
        next(steps)
        _send(reports, {})
        _await_order(orders)
    cpu_ns, began_ns = time.process_time_ns(), time.monotonic_ns()
    value = next(steps)
    ended_ns = time.monotonic_ns()
    _send(reports, {"value": value, "began_ns": began_ns, "ended_ns": ended_ns})
    _await_order(orders)
    cpu_ns = time.process_time_ns() - cpu_ns
    for _ in steps:
        raise TeamError("a worker yields three times")
    _send(reports, {"cpu_ns": cpu_ns})


def _send(reports: int, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(reports, data) :]


def _await_order(orders: int) -> None:
    if not os.read(orders, 1):
        raise TeamError("the parent died")


def _gather(members: Sequence[_Member], deadline: float) -> list[dict[str, Any]]:
    """Read one message from every member."""
    messages: dict[int, dict[str, Any]] = {}
    while len(messages) < len(members):
        for member in members:
            if member.pid in messages or (line := member.next_line()) is None:
                continue
            messages[member.pid] = json.loads(line)
            if "error" in messages[member.pid]:
                raise TeamError(messages[member.pid]["error"])
        missing = [member for member in members if member.pid not in messages]
        if missing:
            _read_some(missing, deadline)
    return [messages[member.pid] for member in members]


def _read_some(members: Sequence[_Member], deadline: float) -> None:
    left_s = deadline - time.monotonic()
    ready, _, _ = select.select([member.reports for member in members], [], [], max(0.0, left_s))
    if not ready:
        raise TeamError("took too long")
    for member in members:
        if member.reports in ready:
            data = os.read(member.reports, 1 << 16)
            if not data:
                raise TeamError(f"process {member.pid} died")
            member.text += data


def _dismiss(members: Sequence[_Member]) -> None:
    """Kill the remaining processes and reap all. After a good end this only reaps."""
    for member in members:
        os.close(member.orders)
        if os.waitpid(member.pid, os.WNOHANG)[0] == 0 and not _ends_soon(member):
            os.kill(member.pid, signal.SIGKILL)
            os.waitpid(member.pid, 0)
        os.close(member.reports)


def _ends_soon(member: _Member) -> bool:
    """Wait for the end of a process that has closed its pipe or is about to."""
    poll = select.poll()
    descriptor = os.pidfd_open(member.pid)
    try:
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(200):
            return False
    finally:
        os.close(descriptor)
    os.waitpid(member.pid, 0)
    return True
