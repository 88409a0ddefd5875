# SPDX-License-Identifier: MIT
"""`iopf top`: counters of a running system, read-only from another terminal."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import Any

from iopf.emulator.board.snapshot import Snapshot
from iopf.emulator.check.latency import STAGES, percentile
from iopf.emulator.spec.text import printable
from iopf.tools.supervisor.status_line import PHASES
from iopf.tools.watch.attach import Board, attach
from iopf.tools.watch.keys import key_within, single_keys
from iopf.tools.watch.screen import ORDERS, footer, help_lines, lines

ENDING = 5  # PHASE_ENDING
UNBOUNDED = 10_000  # lines, where nothing scrolls away


class Sampler:
    """Samples one board and computes rates from two samples."""

    def __init__(self, board: Board) -> None:
        self.board, self.snapshot = board, board.snapshot
        self._sent: list[int] = []
        self._at = 0.0

    def sample(self) -> dict[str, Any]:
        """Raises ArenaError if the board is damaged."""
        sample = self._sample()
        self.board.check()
        return sample

    def _sample(self) -> dict[str, Any]:
        devices = self.snapshot.devices()
        iommu = self.snapshot.iommu()
        now = time.monotonic()
        names = self.board.devices
        elapsed = now - self._at if self._sent else 0.0
        rows = []
        for i, d in enumerate(devices):
            before = self._sent[i] if self._sent else d["device"]["sent"]
            rows.append(
                {
                    "name": names[i] if i < len(names) else f"dev-{i:02}",
                    "sent": d["device"]["sent"],
                    "rate": (d["device"]["sent"] - before) / elapsed if elapsed else 0.0,
                    "open": d["device"]["open_requests"],
                    "credits": d["credits"],
                    "groups": d["device"]["open_groups"],
                    "partial": d["kernel"]["partial"],
                    "pending": d["kernel"]["pending"],
                    "retries": d["device"]["retries"],
                    "lost": d["hardware"]["drop_overflow"] + d["kernel"]["discarded"],
                    "oldest_ns": d["oldest_ns"],
                    "state": "gone"
                    if not d["link_up"]
                    else "done"
                    if d["device"]["stopped"]
                    else "run",
                }
            )
        self._sent, self._at = [d["device"]["sent"] for d in devices], now
        stages = {}
        for number, name in enumerate(STAGES):
            stage = self.snapshot.stage(number)
            if stage["count"]:
                stages[name] = {
                    "count": stage["count"],
                    "p50_ns": percentile(stage["bins"], 0.5),
                    "p99_ns": percentile(stage["bins"], 0.99),
                    "max_ns": stage["max"],
                }
        return {
            "type": "top",
            "schema": "iopf/1",
            "name": self.board.run_name,
            "phase": PHASES[min(self.snapshot.phase, 5)],
            "rate": sum(r["rate"] for r in rows),
            "iommu": iommu,
            "partial": sum(r["partial"] for r in rows),
            "pending": sum(r["pending"] for r in rows),
            "oldest_ns": max((r["oldest_ns"] for r in rows), default=0),
            "devices": rows,
            "stages": stages,
        }


def main(system: str | None, once: bool, json_out: bool, interval_s: float) -> int:
    """Draw until the system ends or the user interrupts; ``once`` prints a single sample over one interval."""
    with attach(system) as board:
        sampler = Sampler(board)
        sampler.sample()
        if once or json_out or not sys.stdout.isatty():
            return _plain(sampler, once, json_out, interval_s)
        return _drawn(sampler, interval_s)


def _drawn(sampler: Sampler, interval_s: float) -> int:
    """On a screen of its own; when it is left, the last one stays, with a line that says how the system has ended."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    order, helping, ended = next(iter(ORDERS)), False, False
    sample = sampler.sample()
    with single_keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        while not ended:
            width, height = console.size
            shown = lines(sample, width, height, order=order)
            if helping:
                shown = [*help_lines(width, height), footer(order, width)]
            live.update(Text("\n".join(shown), no_wrap=True), refresh=True)
            key, ended = _wait(sampler.snapshot, interval_s, keys)
            if key == "q":
                break
            if key == "s":
                names = list(ORDERS)
                order = names[(names.index(order) + 1) % len(names)]
            helping = key == "?" or (helping and not key)
            if not ended:
                sample = sampler.sample()
    width, height = console.size
    last = lines(sample, width, height - 2, order=order, keys=False)
    sys.stdout.write("\n".join(last) + "\n")
    if ended:
        sys.stdout.write(f"{end_of(sampler)}\n")
    return 0


def end_of(sampler: Sampler) -> str:
    """How the system has ended, as far as its board tells."""
    snapshot = sampler.snapshot
    name = printable(sampler.board.run_name)
    if snapshot.verdict_count:
        return f"{name} has ended: a check failed; its terminal and run directory have the verdict"
    if snapshot.phase >= ENDING:
        return f"{name} has ended in order; its terminal and run directory have the verdict"
    return f"{name} has ended in phase '{PHASES[min(snapshot.phase, ENDING)]}': it was abandoned or killed"


def _plain(sampler: Sampler, once: bool, json_out: bool, interval_s: float) -> int:
    ended = False
    while not ended:
        _, ended = _wait(sampler.snapshot, interval_s, None)
        sample = sampler.sample()
        if json_out:
            sys.stdout.write(json.dumps(sample) + "\n")
        else:
            width = shutil.get_terminal_size().columns
            sys.stdout.write("\n".join(lines(sample, width, UNBOUNDED, keys=False)) + "\n")
        sys.stdout.flush()
        if once:
            return 0
    if not json_out:
        sys.stdout.write(f"{end_of(sampler)}\n")
    return 0


def _wait(snapshot: Snapshot, interval_s: float, keys: int | None) -> tuple[str, bool]:
    """Wait one interval or for a key: the key, and whether the system has ended meanwhile."""
    until = time.monotonic() + interval_s
    while (left := until - time.monotonic()) > 0:
        if snapshot.phase >= ENDING or not _supervised(snapshot):
            return "", True
        key = key_within(keys, min(left, 0.2))
        if key:
            return key, False
    return "", False


def _supervised(snapshot: Snapshot) -> bool:
    """Whether the processes of the system still exist: the IOMMU exits last."""
    from iopf.shm.procs import is_alive

    actor = snapshot.actor(1)
    return actor["pid"] == 0 or is_alive(actor["pid"], actor["start_time"])
