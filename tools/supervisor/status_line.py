# SPDX-License-Identifier: MIT
"""Messages on standard error: one line that is redrawn during a run, and messages between."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopf.tools.supervisor.system import System

REDRAW_S = 0.25
PLAIN_S = 10.0
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


class StatusLine:
    """Policy: ``auto`` draws on a terminal only, ``always`` draws, ``never`` prints messages only. ``quiet`` 2 prints nothing."""

    def __init__(self, policy: str = "auto", quiet: int = 0) -> None:
        self.quiet = quiet
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.live = policy == "always" or (policy == "auto" and terminal)
        self.plain = policy == "auto" and not terminal and quiet < 1
        self.log: list[str] = []
        self._drawn = False
        self._next_s = 0.0
        self._sent = 0
        self._at = time.monotonic()
        self._system: System | None = None

    def attach(self, system: System) -> None:
        self._system = system
        self._at = time.monotonic()
        self._next_s = 0.0 if self.live else PLAIN_S

    def say(self, text: str) -> None:
        """One message, kept for log.txt as well."""
        self.log.append(text)
        if self.quiet < 1:
            self._write(f"iopf: {text}\n")

    def error(self, text: str) -> None:
        self.log.append(text)
        self._write(f"iopf: {text}\n")

    def tick(self, elapsed_s: float) -> None:
        if self._system is None or elapsed_s < self._next_s or not (self.live or self.plain):
            return
        self._next_s = elapsed_s + (REDRAW_S if self.live else PLAIN_S)
        text = self._text(elapsed_s, self._system)
        if self.live:
            sys.stderr.write("\r\x1b[K" + text[:118])
            sys.stderr.flush()
            self._drawn = True
        else:
            self._write(text + "\n")

    def clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False

    def _write(self, text: str) -> None:
        self.clear()
        sys.stderr.write(text)
        sys.stderr.flush()

    def _text(self, elapsed_s: float, system: System) -> str:
        devices = system.snapshot.devices()
        iommu = system.snapshot.iommu()
        sent = sum(d["device"]["sent"] for d in devices)
        now = time.monotonic()
        rate = (sent - self._sent) / max(now - self._at, 1e-6)
        self._sent, self._at = sent, now
        stopped = sum(1 for d in devices if d["device"]["stopped"])
        groups = sum(d["device"]["open_groups"] for d in devices)
        oldest = max((d["oldest_ns"] for d in devices), default=0)
        return (
            f"{int(elapsed_s) // 60:02}:{int(elapsed_s) % 60:02} {PHASES[min(system.snapshot.phase, 5)]} "
            f"dev {stopped}/{len(devices)} done · prq {iommu['prq_used']}/{iommu['prq_records']} (hi {iommu['prq_hwm']}) · "
            f"{short(rate)} req/s · grp {short(groups)} open · ovf {iommu['overflows']} · oldest {span(oldest)}"
        )
