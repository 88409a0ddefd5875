# SPDX-License-Identifier: MIT
"""`iopf top`: counters of a running system, read-only from another terminal."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from iopf.emulator.board.snapshot import Snapshot
from iopf.emulator.check.latency import STAGES, percentile
from iopf.shm.arena import ArenaError
from iopf.tools.supervisor.status_line import PHASES, short, span
from iopf.tools.watch.attach import attach

if TYPE_CHECKING:
    from rich.table import Table

MOST_DEVICES = 24


class Sampler:
    """Samples one board and computes rates from two samples."""

    def __init__(self, snapshot: Snapshot, meta: dict[str, Any]) -> None:
        self.snapshot, self.meta = snapshot, meta
        self._sent: list[int] = []
        self._at = 0.0

    def sample(self) -> dict[str, Any]:
        devices = self.snapshot.devices()
        iommu = self.snapshot.iommu()
        now = time.monotonic()
        names = self.meta.get("devices", [])
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
            "name": self.meta.get("name", ""),
            "phase": PHASES[min(self.snapshot.phase, 5)],
            "rate": sum(r["rate"] for r in rows),
            "iommu": iommu,
            "partial": sum(r["partial"] for r in rows),
            "pending": sum(r["pending"] for r in rows),
            "oldest_ns": max((r["oldest_ns"] for r in rows), default=0),
            "devices": rows,
            "stages": stages,
        }


def head_lines(s: dict[str, Any]) -> list[str]:
    i = s["iommu"]
    return [
        f"{s['name']}  phase {s['phase']}  {short(s['rate'])} requests/s  oldest open {span(s['oldest_ns'])}",
        f"queue {i['prq_used']}/{i['prq_records']} (high {i['prq_hwm']})  overflows {i['overflows']}  PRO {i['pro']}  "
        f"partial {s['partial']}  pending {s['pending']}  backlog {i['backlog']}",
    ]


def _device_table(s: dict[str, Any]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in (
        "device",
        "state",
        "req/s",
        "open",
        "groups",
        "partial",
        "pending",
        "again",
        "lost",
        "oldest",
    ):
        table.add_column(name, justify="left" if name in ("device", "state") else "right")
    rows = sorted(s["devices"], key=lambda r: -r["oldest_ns"])[:MOST_DEVICES]
    for r in sorted(rows, key=lambda r: str(r["name"])):
        table.add_row(
            r["name"],
            r["state"],
            short(r["rate"]),
            f"{r['open']}/{r['credits']}",
            str(r["groups"]),
            str(r["partial"]),
            str(r["pending"]),
            short(r["retries"]),
            short(r["lost"]),
            span(r["oldest_ns"]),
        )
    if len(s["devices"]) > MOST_DEVICES:
        table.caption = (
            f"{MOST_DEVICES} of {len(s['devices'])} devices, those with the oldest requests"
        )
    return table


def _stage_table(s: dict[str, Any]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("stage", "p50", "p99", "max", "count"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for name, stage in s["stages"].items():
        table.add_row(
            name,
            span(stage["p50_ns"]),
            span(stage["p99_ns"]),
            span(stage["max_ns"]),
            short(stage["count"]),
        )
    return table


def _screen(s: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.text import Text

    return Group(*[Text(line) for line in head_lines(s)], _device_table(s), _stage_table(s))


def main(system: str | None, once: bool, json_out: bool, interval_s: float) -> int:
    """Draw until the system ends or the user interrupts; ``once`` prints a single sample over one interval."""
    try:
        _, snapshot, meta = attach(system)
    except ArenaError as error:
        sys.stderr.write(f"iopf: {error}\n")
        return error.status
    sampler = Sampler(snapshot, meta)
    sampler.sample()
    if once or json_out:
        return _plain(sampler, once, json_out, interval_s)
    from rich.live import Live

    with Live(_screen(sampler.sample()), screen=True, auto_refresh=False) as live:
        while _wait(snapshot, interval_s):
            live.update(_screen(sampler.sample()), refresh=True)
    return 0


def _plain(sampler: Sampler, once: bool, json_out: bool, interval_s: float) -> int:
    from rich.console import Console

    console = Console()
    running = True
    while running:
        running = _wait(sampler.snapshot, interval_s) and not once
        sample = sampler.sample()
        if json_out:
            sys.stdout.write(json.dumps(sample) + "\n")
            sys.stdout.flush()
        else:
            console.print(_screen(sample))
    return 0


def _wait(snapshot: Snapshot, interval_s: float) -> bool:
    """Wait one interval; false if the system has ended meanwhile."""
    import select

    until = time.monotonic() + interval_s
    while (left := until - time.monotonic()) > 0:
        if snapshot.phase >= 5 or not _supervised(snapshot):
            return False
        select.select([], [], [], min(left, 0.2))
    return True


def _supervised(snapshot: Snapshot) -> bool:
    """Whether the processes of the system still exist: the IOMMU exits last."""
    from iopf.shm.procs import is_alive

    actor = snapshot.actor(1)
    return actor["pid"] == 0 or is_alive(actor["pid"], actor["start_time"])
