# SPDX-License-Identifier: MIT
"""`iopf bench queue`: 64-byte records between processes, counted and summed.

The same loop for all: the producer calls the library for each piece, the consumer adds each piece to a tally. Records have known sums,
so a lost, duplicated or damaged one is detected at the end.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Generator, Iterator
from typing import Any

from iopf.cython_ext import ring_bench
from iopf.cython_ext.channel import Channel
from iopf.cython_ext.memory import Memory
from iopf.tools.bench.harness import (
    Contender,
    ContenderError,
    Outcome,
    Plan,
    Sample,
    Series,
    Table,
    compared,
    interleave,
    ratio,
    scaled_count,
)
from iopf.tools.bench.report import number, rate, times
from iopf.tools.bench.team import Report, Worker, run_team
from iopf.tools.bench.transports import PEERS, RECORD_BYTES, ROOM, OurChannel, Transport

CYCLE = 1024  # distinct records per producer, sent repeatedly
BATCH = 64
RING_ROOM = 256  # for the loops without Python: 16 KiB fit in the first-level cache
CALIBRATIONS = 4
COUNT_MAX = 1 << 26
TIMEOUT_S = 60.0
WORD = 2**64

# count per producer -> sample
Run = Callable[[int], Sample]


def run(plan: Plan) -> Outcome:
    outcome = Outcome(document={"record_bytes": RECORD_BYTES, "room_records": ROOM, "cases": []})
    counts = (1, 4) if plan.quick else (1, 2, 4)
    for title, make in (("from Python", _python_contenders), ("without Python", _nogil_contenders)):
        for batch in (1, BATCH):
            results: dict[int, list[Series]] = {}
            for producers in counts:
                kind = "single records" if batch == 1 else f"batches of {batch}"
                label = f"queue {title}, {producers} to 1, {kind}"
                contenders = [_calibrated(*each, plan) for each in make(producers, batch)]
                results[producers] = interleave(contenders, plan.rounds, label)
                outcome.add_failures(results[producers])
                outcome.document["cases"].append(
                    {
                        "where": title,
                        "producers": producers,
                        "batch": batch,
                        "results": compared(results[producers], "records_per_s"),
                    }
                )
            outcome.tables.append(_table(f"queue {title}, {kind}", results))
    return outcome


def _calibrated(name: str, absent: str, ours: bool, measure: Run, plan: Plan) -> Contender:
    """Determine in its first turn how many records fill the time of a turn."""
    target_s = 0.05 if plan.quick else 0.2
    counts: list[int] = []

    def timed() -> Sample:
        if not counts:
            counts.append(_count_for(target_s, measure))
        return measure(counts[0])

    return Contender(name, timed, absent, ours)


def _count_for(target_s: float, measure: Run) -> int:
    """Records per producer; in several steps, because the start dominates a short turn."""
    count = 2 * CYCLE
    for _ in range(CALIBRATIONS):
        took_s = measure(count)["seconds"]
        if took_s > target_s / 2:
            break
        count = scaled_count(count / took_s, target_s, CYCLE, COUNT_MAX)
    return count


def _table(title: str, results: dict[int, list[Series]]) -> Table:
    table = Table(f"{title} (records/s; ours / it in the same rounds)", ["queue"])
    for producers in results:
        table.columns += [f"{producers} to 1", "ours/it"]
    table.columns += ["cpu ns", "rtt ns"]
    for position, first in enumerate(next(iter(results.values()))):
        row = [first.name]
        for series in results.values():
            mine, it = series[0], series[position]
            text = it.cell(rate(it.median("records_per_s")))
            row += [text, "" if it is mine else times(ratio(mine, it, "records_per_s"))]
        row += [number(first.median("cpu_ns_per_record")), number(first.median("core_rtt_ns"))]
        table.rows.append(row)
    for series in results.values():
        table.explain(series)
    return table


def _sample(reports: list[Report], records: int) -> Sample:
    """Combine the reports; the consumer's is the last one."""
    took_ns = max(1, reports[-1].ended_ns - min(report.began_ns for report in reports))
    return {
        "records": records,
        "seconds": took_ns / 1e9,
        "records_per_s": records / took_ns * 1e9,
        "cpu_ns_per_record": sum(report.cpu_ns for report in reports) / records,
    }


# ---- from Python


def _python_contenders(producers: int, batch: int) -> Iterator[tuple[str, str, bool, Run]]:
    kinds: tuple[type[Transport], ...] = (OurChannel, *PEERS)
    for kind in kinds:

        def measure(count: int, kind: type[Transport] = kind) -> Sample:
            return _move(kind, producers, batch, count)

        yield kind.label, kind.absent(), kind is OurChannel, measure


def _move(kind: type[Transport], producers: int, batch: int, count: int) -> Sample:
    """Move `count` records from each producer and check what arrives."""
    transport = kind(producers, batch * RECORD_BYTES)
    try:
        workers = [_producing(transport, index, batch, count) for index in range(producers)]
        reports = run_team([*workers, _consuming(transport, batch, producers * count)], TIMEOUT_S)
    finally:
        transport.close()
    cycles = count // CYCLE
    expected = sum(ring_bench.sum_of(index, CYCLE) for index in range(producers)) * cycles % WORD
    _expect(reports[-1].value, [producers * count, expected])
    return _sample(reports, producers * count)


def _expect(got: list[int], wanted: list[int]) -> None:
    if got != wanted:
        raise ContenderError(f"got {got[0]} records of {wanted[0]}, or they were damaged")


def _producing(transport: Transport, index: int, batch: int, count: int) -> Worker:
    def worker() -> Generator[Any, None, None]:
        pieces = [ring_bench.records_of(index, i, batch) for i in range(0, CYCLE, batch)]
        send = transport.sender(index)
        yield
        transport.settle()
        yield
        for _ in range(count // CYCLE):
            for piece in pieces:
                send(piece)
        yield count
        transport.finish()

    return worker


def _consuming(transport: Transport, batch: int, total: int) -> Worker:
    def worker() -> Generator[Any, None, None]:
        tally = ring_bench.Tally()
        receive, add = transport.receiver(), tally.add
        yield
        transport.settle()
        yield
        # A piece has at most `batch` records, so this number of calls never waits for more than arrive.
        while left := total - tally.records:
            for _ in range(max(1, left // batch)):
                add(receive())
        yield [tally.records, tally.sum]
        transport.finish()

    return worker


# ---- without Python


def _nogil_contenders(producers: int, batch: int) -> Iterator[tuple[str, str, bool, Run]]:
    def channel(count: int) -> Sample:
        return _move_channel(producers, batch, count)

    def link(count: int) -> Sample:
        return move_ring(ring_bench.produce_link, ring_bench.consume_link, batch, count)

    def plain(count: int) -> Sample:
        return move_ring(ring_bench.produce_plain, ring_bench.consume_plain, batch, count)

    alone = "" if producers == 1 else "one only"
    yield "iopf link, no doorbell", alone, producers == 1, link
    yield "plain ring in C", alone, False, plain
    yield "iopf channel, with doorbells", "", True, channel


def move_ring(produce: Any, consume: Any, batch: int, count: int) -> Sample:
    area = mmap.mmap(-1, ring_bench.ring_bytes(RING_ROOM))
    memory = Memory(area)

    def producing() -> Generator[Any, None, None]:
        yield
        yield
        yield produce(memory, 0, RING_ROOM, count, batch)

    def consuming() -> Generator[Any, None, None]:
        yield
        yield
        yield consume(memory, 0, RING_ROOM, count, batch)

    try:
        reports = run_team([producing, consuming], TIMEOUT_S)
    finally:
        memory.close()
        area.close()
    _expect(reports[-1].value, [count, ring_bench.sum_of(0, count), 0])
    return _sample(reports, count)


def _move_channel(producers: int, batch: int, count: int) -> Sample:
    transport = OurChannel(producers, batch * RECORD_BYTES)

    def producing(index: int) -> Worker:
        def worker() -> Generator[Any, None, None]:
            producer = Channel(transport.memory, 0).producer(index)
            yield
            yield
            ring_bench.produce_channel(producer, count, batch)
            yield count

        return worker

    def consuming() -> Generator[Any, None, None]:
        consumer = Channel(transport.memory, 0).consumer()
        yield
        yield
        yield ring_bench.consume_channel(consumer, producers * count, batch)

    try:
        workers = [producing(index) for index in range(producers)]
        reports = run_team([*workers, consuming], TIMEOUT_S)
    finally:
        transport.close()
    expected = sum(ring_bench.sum_of(index, count) for index in range(producers)) % WORD
    _expect(reports[-1].value, [producers * count, expected, 0])
    return _sample(reports, producers * count)
