# SPDX-License-Identifier: MIT
"""`iopf top` on terminals of several sizes: nothing wraps or scrolls, keys work, and the last screen stays."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iopf.tools.watch.screen import DEVICES, HELP, ORDERS, footer, lines, table

from tests.support.running import ENDLESS, Running

counts = st.integers(0, 2**63)
SIZES = [(80, 24), (200, 50), (40, 12)]


def sample(devices: int, stages: int, number: int) -> dict[str, Any]:
    names = ["device to hardware", "hardware queue", "report", "work queue", "mm fault"]
    names += ["respond", "command queue", "back to device", "round trip"]
    counters = (
        "sent",
        "rate",
        "open",
        "credits",
        "groups",
        "partial",
        "pending",
        "retries",
        "lost",
    )
    device = {**dict.fromkeys(counters, number), "state": "run"}
    stage = dict.fromkeys(("count", "p50_ns", "p99_ns", "max_ns"), number)
    iommu = ("prq_used", "prq_records", "prq_hwm", "overflows", "pro", "backlog")
    return {
        "name": "quickstart",
        "phase": "run",
        "rate": number,
        "partial": number,
        "pending": number,
        "oldest_ns": number,
        "iommu": dict.fromkeys(iommu, number),
        "devices": [{"name": f"dev-{i:02}", **device, "oldest_ns": i} for i in range(devices)],
        "stages": dict.fromkeys(names[9 - stages :], stage),
    }


@given(
    st.integers(0, 256),
    st.integers(0, 9),
    counts,
    st.integers(20, 250),
    st.integers(8, 80),
    st.sampled_from(list(ORDERS)),
)
def test_nothing_wraps_or_scrolls(
    devices: int, stages: int, number: int, width: int, height: int, order: str
) -> None:
    shown = lines(sample(devices, stages, number), width, height, order=order)
    assert len(shown) <= height
    assert max(map(len, shown)) <= width
    assert shown[-1] == footer(order, width)
    assert shown[-1].startswith("q quit")
    if devices > height:
        assert any("more devices" in line for line in shown)
    if stages and height >= 16:
        assert any(line.startswith("round trip") for line in shown)


@given(st.integers(10, 120), counts)
def test_columns_are_dropped_by_rank(width: int, number: int) -> None:
    rows = sample(2, 0, number)["devices"]
    titles = table(DEVICES, rows, width)[0].split()
    ranked = [column.title for column in sorted(DEVICES, key=lambda column: column.rank)]
    assert set(titles) == set(ranked[: len(titles)])
    assert [column.title for column in DEVICES if column.title in titles] == titles


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, columns: int, rows: int, *args: str) -> None:
        self.text = ""
        mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        command = [sys.executable, "-m", "iopf.tools.cli.main", *args]
        keep = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env={**keep, "TERM": "xterm"}
        )
        os.close(theirs)
        self.fd = mine

    def until(self, text: str) -> None:
        """Read until this text has come after what was waited for before."""
        end, at = time.monotonic() + 30, len(self.text)
        while text not in self.text[at:]:
            assert time.monotonic() < end, f"no {text!r} in {self.text[at:]!r}"
            if not self._read(0.2) and self.process.poll() is not None:
                assert text in self.text[at:]

    def _read(self, seconds: float) -> bool:
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            read = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.text += read.decode(errors="replace")
        return bool(read)

    def key(self, key: str) -> None:
        os.write(self.fd, key.encode())

    def end(self) -> int:
        while self.process.poll() is None or self._read(0.1):
            self._read(0.1)
        os.close(self.fd)
        return self.process.returncode


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_keys_and_the_last_screen(tmp_path: Path, columns: int, rows: int) -> None:
    with Running(tmp_path, "quickstart", *ENDLESS) as run:
        top = Terminal(columns, rows, "top", str(run.process.pid), "--interval", "0.2")
        top.until("sort: oldest")
        top.key("s")
        top.until("sort: rate")
        top.key("?")
        top.until(HELP[0])
        top.key("q")
        assert top.end() == 0
    left = top.text.rpartition("\x1b[?1049l")[2]
    last = [line.rstrip("\r") for line in left.splitlines() if not line.startswith("\x1b")]
    assert any(line.startswith("device ") for line in last)
    assert max(map(len, last)) <= columns
    assert len(last) <= rows


def test_the_end_of_the_system_is_told(tmp_path: Path) -> None:
    with Running(tmp_path, "quickstart", *ENDLESS) as run:
        top = Terminal(80, 24, "top", str(run.process.pid), "--interval", "0.2")
        top.until("q quit")
        run.process.send_signal(signal.SIGINT)
        run.end()
        assert top.end() == 0
    assert (
        "quickstart has ended in order; its terminal and run directory have the verdict" in top.text
    )
