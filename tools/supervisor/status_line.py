# SPDX-License-Identifier: MIT
"""Messages on standard error: one line that is redrawn during a run, and messages between."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from iopf.emulator.spec.text import counted, printable

if TYPE_CHECKING:
    from iopf.tools.supervisor.system import System

REDRAW_S = 0.25
PLAIN_S = 10.0
PLAIN_COLUMNS = 120
SEPARATOR = " · "
READING_S = 2.0
PHASES = ("start", "probe", "run", "stop", "release", "end")


def short(n: float) -> str:
    """1234567 -> 1.2M"""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= limit:
            return f"{n / limit:.1f}{unit}"
    return f"{n:.0f}"


def span(ns: float) -> str:
    """Nanoseconds in a unit with three significant digits."""
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= limit:
            value = ns / limit
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{ns:.0f} ns"


def fitted(parts: Sequence[tuple[int, str]], columns: int) -> str:
    """The parts in their order, without those of the highest ranks that do not fit."""
    kept = list(parts)
    while len(kept) > 1 and len(SEPARATOR.join(text for _, text in kept)) > columns:
        kept.remove(max(kept))
    return SEPARATOR.join(text for _, text in kept)[:columns]


class StatusLine:
    """Policy: ``auto`` draws on a terminal only, ``always`` draws, ``never`` prints messages only. ``quiet`` 2 prints nothing."""

    def __init__(self, policy: str = "auto", quiet: int = 0) -> None:
        self.quiet = quiet
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.live = policy == "always" or (policy == "auto" and terminal)
        self.plain = policy == "auto" and not terminal and quiet < 1
        self.log: list[str] = []
        self._drawn = False
        self._next_s = READING_S
        self._sent = self._accesses = 0
        self._at = time.monotonic()
        self._system: System | None = None

    def attach(self, system: System) -> None:
        self._system = system
        self._at = time.monotonic()
        self._next_s = 0.0 if self.live else PLAIN_S

    def say(self, text: str) -> None:
        """One message, kept for log.txt as well."""
        self.log.append(printable(text))
        if self.quiet < 1:
            self._write(f"iopf: {printable(text)}\n")

    def error(self, text: str) -> None:
        self.log.append(printable(text))
        self._write(f"iopf: {printable(text)}\n")

    def tick(self, elapsed_s: float) -> None:
        if self._system is None or elapsed_s < self._next_s or not (self.live or self.plain):
            return
        self._next_s = elapsed_s + (REDRAW_S if self.live else PLAIN_S)
        columns = shutil.get_terminal_size().columns if self.live else PLAIN_COLUMNS
        self._show(fitted(self._parts(elapsed_s, self._system), columns - 1))

    def progress(self, text: str) -> None:
        """The state of what comes before the start, at most every READING_S."""
        elapsed_s = time.monotonic() - self._at
        if elapsed_s < self._next_s or not (self.live or self.plain):
            return
        self._next_s = elapsed_s + (REDRAW_S if self.live else READING_S)
        self._show(text if self.live else f"iopf: {text}")

    def _show(self, text: str) -> None:
        if self.live:
            columns = shutil.get_terminal_size().columns
            sys.stderr.write("\r\x1b[K" + printable(text)[: columns - 1])
            sys.stderr.flush()
            self._drawn = True
        else:
            self._write(printable(text) + "\n")

    def clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False

    def _write(self, text: str) -> None:
        self.clear()
        sys.stderr.write(text)
        sys.stderr.flush()

    def _parts(self, elapsed_s: float, system: System) -> list[tuple[int, str]]:
        """The parts of the line, each with its rank: what is dropped last comes first."""
        devices = system.snapshot.devices()
        iommu = system.snapshot.iommu()
        sent = sum(d["device"]["sent"] for d in devices)
        now = time.monotonic()
        accesses = system.snapshot.accesses()
        since = max(now - self._at, 1e-6)
        rate, hits = (sent - self._sent) / since, (accesses - self._accesses) / since
        self._sent, self._accesses, self._at = sent, accesses, now
        stopped = sum(1 for d in devices if d["device"]["stopped"])
        groups = sum(d["device"]["open_groups"] for d in devices)
        oldest = max((d["oldest_ns"] for d in devices), default=0)
        clock = f"{int(elapsed_s) // 60:02}:{int(elapsed_s) % 60:02}"
        dry = rate == 0 and groups == 0 and hits > 0
        return [
            (0, f"{clock} {PHASES[min(system.snapshot.phase, 5)]}"),
            (3, f"{stopped}/{len(devices)} devices done"),
            (1, f"{short(hits)} accesses/s, no requests" if dry else f"{short(rate)} requests/s"),
            (2, f"oldest {span(oldest)}"),
            (4, f"queue {iommu['prq_used']}/{iommu['prq_records']} (high {iommu['prq_hwm']})"),
            (5, f"{short(groups)} group{'' if groups == 1 else 's'} open"),
            (6, counted(iommu["overflows"], "overflow")),
        ]
