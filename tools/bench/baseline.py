# SPDX-License-Identifier: MIT
"""A straightforward fault path: plain Python on multiprocessing queues.

    devices --requests--> IOMMU: assembles groups --work--> handlers: look up, mark present
       ^                                                        |
       +-------------------- responses, a queue per device -----+

A device keeps `window` groups in flight and sends the next one after an answer. With batch = 1 each message is one request, group or
answer; else a list of up to `batch` of them, the obvious first optimisation. Every stage counts, and the counts must agree.
"""

from __future__ import annotations

import bisect
import multiprocessing
import statistics
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from typing import Any

from iopf.tools.bench.team import Worker, run_team

VMAS = 64
VMA_PAGES = 1024
TIMEOUT_S = 120.0
END = None  # the last message of a queue

Request = tuple[int, int, int, bool]  # device, group, page, last in its group
Group = tuple[int, int, list[int]]  # device, group, pages
Answer = tuple[int, bool]  # group, success


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """`faults` were sent, handled and answered. Latency: of a group, for its device."""

    faults: int
    seconds: float
    latency_p50_ns: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class _Board:
    """The queues between the processes, and the shared parameters."""

    requests: Queue[Any]
    work: Queue[Any]
    answers: list[Queue[Any]]
    handlers: int
    group_size: int
    window: int
    groups: int
    batch: int

    def put(self, queue: Queue[Any], items: Sequence[Any]) -> None:
        """Single items, or lists."""
        if self.batch == 1:
            for item in items:
                queue.put(item)
            return
        for start in range(0, len(items), self.batch):
            queue.put(list(items[start : start + self.batch]))

    def get(self, queue: Queue[Any]) -> Any:
        """A list of items, or END."""
        message = queue.get()
        return [message] if self.batch == 1 and message is not END else message


def run_baseline(
    devices: int, handlers: int, group_size: int, window: int, groups_per_device: int, batch: int
) -> BaselineResult:
    """Run the whole path once. Raises RuntimeError if a stage lost or duplicated a fault."""
    if min(devices, handlers, group_size, window, groups_per_device, batch) < 1:
        raise ValueError("all arguments must be at least 1")
    context = multiprocessing.get_context("fork")
    answers: list[Queue[Any]] = [context.Queue() for _ in range(devices)]
    numbers = (handlers, group_size, window, groups_per_device, batch)
    board = _Board(context.Queue(), context.Queue(), answers, *numbers)
    workers = [_device(board, number) for number in range(devices)]
    workers += [_iommu(board, devices), *(_handler(board) for _ in range(handlers))]
    try:
        reports = run_team(workers, TIMEOUT_S)
    finally:
        for queue in (board.requests, board.work, *answers):
            queue.close()
    faults = devices * groups_per_device * group_size
    answered = sum(report.value["faults"] for report in reports[:devices])
    assembled = reports[devices].value["faults"]
    handled = sum(report.value["faults"] for report in reports[devices + 1 :])
    if (answered, assembled, handled) != (faults, faults, faults):
        stages = f"{assembled} assembled, {handled} handled, {answered} answered"
        raise RuntimeError(f"{faults} requests were sent: {stages}")
    latencies = [value for report in reports[:devices] for value in report.value["latencies_ns"]]
    ended_ns = max(report.ended_ns for report in reports[:devices])
    return BaselineResult(
        faults,
        (ended_ns - min(report.began_ns for report in reports[:devices])) / 1e9,
        int(statistics.median(latencies)),
        sum(report.cpu_ns for report in reports) / 1e9,
    )


def _device(board: _Board, number: int) -> Worker:
    def worker() -> Generator[Any, None, None]:
        yield
        yield
        sent_ns: dict[int, int] = {}
        latencies_ns: list[int] = []
        sent = 0
        while len(latencies_ns) < board.groups:
            requests: list[Request] = []
            while sent < board.groups and len(sent_ns) < board.window:
                first, last = sent * board.group_size, board.group_size - 1
                for i in range(board.group_size):
                    requests.append((number, sent, first + i, i == last))
                sent_ns[sent] = time.monotonic_ns()
                sent += 1
            board.put(board.requests, requests)
            for group, success in board.get(board.answers[number]):
                if not success:
                    raise RuntimeError(f"group {group} was answered with a failure")
                latencies_ns.append(time.monotonic_ns() - sent_ns.pop(group))
        board.requests.put(END)
        yield {"faults": len(latencies_ns) * board.group_size, "latencies_ns": latencies_ns}

    return worker


def _iommu(board: _Board, devices: int) -> Worker:
    def worker() -> Generator[Any, None, None]:
        yield
        yield
        partial: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        faults = 0
        running = devices
        while running:
            requests = board.get(board.requests)
            if requests is END:
                running -= 1
                continue
            whole: list[Group] = []
            for device, group, page, last in requests:
                partial[device, group].append(page)
                faults += 1
                if last:
                    whole.append((device, group, partial.pop((device, group))))
            board.put(board.work, whole)
        for _ in range(board.handlers):
            board.work.put(END)
        yield {"faults": faults}

    return worker


def _handler(board: _Board) -> Worker:
    def worker() -> Generator[Any, None, None]:
        starts = [number * VMA_PAGES for number in range(VMAS)]
        present: set[tuple[int, int]] = set()
        faults = 0
        yield
        yield
        while (groups := board.get(board.work)) is not END:
            answers: defaultdict[int, list[Answer]] = defaultdict(list)
            for device, group, pages in groups:
                for page in pages:
                    place = page % (VMAS * VMA_PAGES)
                    vma = bisect.bisect_right(starts, place) - 1
                    mapped = starts[vma] <= place < starts[vma] + VMA_PAGES
                    present.add((device, place))
                faults += len(pages)
                answers[device].append((group, mapped))
            for device, items in answers.items():
                board.put(board.answers[device], items)
        yield {"faults": faults}

    return worker
