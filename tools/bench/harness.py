# SPDX-License-Identifier: MIT
"""Comparing contenders: rounds in which each has its turn, and ratios per round.

Two runs on one machine are not comparable (see `environment`), two turns of the same round are. So a ratio is computed within each
round, and the median of the ratios is reported.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from iopf.tools.bench.environment import core_rtt_ns

Sample = dict[str, float]


class ContenderError(RuntimeError):
    """A contender failed: lost records, an error, or a hang."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A subject of measurement. `absent`: the reason why it cannot be measured, like "not installed"."""

    name: str
    measure: Callable[[], Sample]
    absent: str = ""
    ours: bool = False


@dataclass(slots=True)
class Series:
    """The samples of one contender, one per round; `status` is "ok" or the reason why there are none."""

    name: str
    ours: bool = False
    status: str = "ok"
    samples: list[Sample] = field(default_factory=list)

    def median(self, key: str) -> float | None:
        values = [sample[key] for sample in self.samples if key in sample]
        return statistics.median(values) if values else None

    def cell(self, text: str) -> str:
        """`text` for a table, or the short reason why there is none."""
        return text if self.samples else self.status.partition(":")[0]

    def document(self) -> dict[str, Any]:
        keys = sorted({key for sample in self.samples for key in sample} - {"core_rtt_ns"})
        return {
            "name": self.name,
            "ours": self.ours,
            "status": self.status,
            "median": {key: self.median(key) for key in keys},
            "repeats": self.samples,
        }


def interleave(contenders: Sequence[Contender], rounds: int, label: str) -> list[Series]:
    """Measures every contender once per round. A contender that fails has no further turn."""
    series = [Series(each.name, each.ours, each.absent or "ok") for each in contenders]
    for number in range(rounds):
        rtt_ns = core_rtt_ns()
        for contender, result in zip(contenders, series, strict=True):
            if result.status != "ok":
                continue
            PROGRESS.say(f"{label}: round {number + 1} of {rounds}, {contender.name}")
            try:
                result.samples.append({**contender.measure(), "core_rtt_ns": rtt_ns})
            except Exception as error:  # a library may raise anything
                result.status = f"failed: {error}"
                result.samples.clear()
    return series


def ratio(ours: Series, theirs: Series, key: str, inverse: bool = False) -> float | None:
    """Median over the rounds of ours / theirs; `inverse` if smaller is better."""
    pairs = [
        (a[key], b[key])
        for a, b in zip(ours.samples, theirs.samples, strict=False)
        if a.get(key) and b.get(key)
    ]
    if not pairs:
        return None
    return statistics.median(b / a if inverse else a / b for a, b in pairs)


def compared(
    series: Sequence[Series], rate_key: str, latency_key: str | None = None
) -> list[dict[str, Any]]:
    """The documents of all contenders, each peer with `ours_to_it`: ratio of the first contender's rate to its rate and (if there is
    one) of its latency to ours; medians over the rounds in the table."""
    documents = []
    for each in series:
        document = each.document()
        if each is not series[0]:
            ratios = {rate_key: ratio(series[0], each, rate_key)}
            if latency_key is not None:
                ratios[latency_key] = ratio(series[0], each, latency_key, inverse=True)
            document["ours_to_it"] = ratios
        documents.append(document)
    return documents


@dataclass(slots=True)
class Table:
    """Rows of finished text below headings; the first column is left-aligned."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def explain(self, series: Sequence[Series]) -> None:
        """Notes below the table on the errors of contenders."""
        failed = [each for each in series if each.status.startswith("failed")]
        self.notes += [f"{each.name}: {each.status}" for each in failed]


@dataclass(slots=True)
class Outcome:
    """The result of a benchmark: tables, a JSON document, and failures."""

    tables: list[Table] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add_failures(self, series: Sequence[Series]) -> None:
        """A failed peer is a row in a table; a failed contender of ours is a failure."""
        self.failures += [f"{s.name}: {s.status}" for s in series if s.ours and s.status != "ok"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Extent of the measurement."""

    rounds: int
    quick: bool


def scaled_count(rate_per_s: float, target_s: float, step: int, most: int) -> int:
    """Number of records that take about `target_s`, as a multiple of `step`."""
    return max(step, min(most, int(rate_per_s * target_s)) // step * step)


class Progress:
    """Progress on standard error: one line redrawn, or an occasional line."""

    EVERY_S = 10.0

    def __init__(self) -> None:
        self._next_s = 0.0
        self.quiet = False

    def say(self, text: str) -> None:
        if self.quiet:
            return
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + self.EVERY_S
            print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if sys.stderr.isatty() and not self.quiet:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


PROGRESS = Progress()
