# SPDX-License-Identifier: MIT
"""The recipes of `iopf help traces`: what ftrace, trace-cmd and perf print of page requests is read, and is the same."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from iopf.emulator.trace.events import PrqReport
from iopf.emulator.trace.ftrace import MalformedLine, parse_line
from iopf.emulator.trace.program import Flag

from tests.support.running import iopf

# Two requests of one group and one of another; page, flags, PASID, index.
REQUESTS = [
    (0x7F1000, "rw---", 1, 5),
    (0x7F1001, "r---l", 1, 5),
    (0x7F2000, "-wxpl", 1, 6),
]
RID = 0x6A08


def words(page: int, flags: str, pasid: int, index: int) -> tuple[int, int]:
    """The descriptor as the hardware writes it (VT-d 7.4.1)."""
    r, w, x, p, last = (letter != "-" for letter in flags)
    dw0 = 1 | 1 << 8 | RID << 16 | pasid << 32 | x << 52 | p << 53
    return dw0, page << 12 | index << 3 | last << 2 | w << 1 | r


def decoded(page: int, flags: str, pasid: int, index: int) -> str:
    return f"rid=0x{RID:x} addr=0x{page:x} {flags} pasid=0x{pasid:x} index=0x{index:x}"


def raw(number: int, request: tuple[int, str, int, int]) -> str:
    dw0, dw1 = words(*request)
    place = "iommu=dmar4 dev=0000:6a:01.0"
    return f"[FAILED TO PARSE] dw0={dw0} dw1={dw1} dw2=0 dw3=0 seq=0x{number:x} {place} buff="


def ftrace() -> str:
    head = "# tracer: nop\n#\n# entries-in-buffer/entries-written: 3/3   #P:8\n#\n"
    return head + "".join(
        f"     irq/64-dmar4-612     [003] ..... 4321.00000{n}: prq_report: "
        f"dmar4/0000:6a:01.0 seq# {n}: {decoded(*request)}\n"
        for n, request in enumerate(REQUESTS, 1)
    )


def trace_cmd() -> str:
    head = "CPU 0 is empty\ncpus=8\n"
    return head + "".join(
        f"     irq/64-dmar4-612   [003]  4321.00000{n}: prq_report:           {raw(n, request)}\n"
        for n, request in enumerate(REQUESTS, 1)
    )


def perf_script() -> str:
    return "".join(
        f"    irq/64-dmar4   612 [003]  4321.00000{n}: intel_iommu:prq_report: {raw(n, request)}\n"
        for n, request in enumerate(REQUESTS, 1)
    )


RECORDERS = {"ftrace": ftrace, "trace-cmd": trace_cmd, "perf": perf_script}


@pytest.mark.parametrize("name", RECORDERS)
def test_each_recorder_gives_the_same_requests(name: str) -> None:
    events = [parse_line(line) for line in RECORDERS[name]().splitlines()]
    found = [event for event in events if event is not None]
    assert len(found) == len(REQUESTS)
    for event, (page, flags, pasid, index) in zip(found, REQUESTS, strict=True):
        assert isinstance(event, PrqReport)
        letters = "".join(
            c if f in event.flags else "-" for c, f in zip("rwxpl", Flag, strict=True)
        )
        assert letters == flags
        assert event[4:6] == ("dmar4/0000:6a:01.0", RID)
        assert (event.address, event.pasid, event.prgi) == (page << 12, pasid, index)


def test_raw_fields_may_be_hexadecimal_and_unmarked() -> None:
    dw0, dw1 = words(*REQUESTS[0])
    text = f"prq_report: dw0=0x{dw0:x} dw1=0x{dw1:x} dw2=0x0 dw3=0x0 seq=1 iommu=dmar0 dev=x"
    event = parse_line(text)
    assert isinstance(event, PrqReport)
    assert (event.address, event.pasid) == (REQUESTS[0][0] << 12, 1)


@pytest.mark.parametrize("broken", ["dw0=", "dw1=x", "dw0=1 dw1=2 dw2=0 dw3=0 seq=1 iommu=d"])
def test_other_fields_are_malformed(broken: str) -> None:
    with pytest.raises(MalformedLine, match="prq_report needs"):
        parse_line(f"prq_report: [FAILED TO PARSE] {broken}")


@pytest.mark.parametrize("name", RECORDERS)
@pytest.mark.parametrize("pack", ["plain", "gz", "xz"])
def test_a_recording_can_be_run(name: str, pack: str, tmp_path: Path) -> None:
    """Compressed or not: it is known by its content, whatever the name."""
    data = RECORDERS[name]().encode()
    packed = {"plain": data, "gz": gzip.compress(data), "xz": lzma.compress(data)}
    (tmp_path / "my.trace").write_bytes(packed[pack])
    done = iopf("run", "--trace", "./my.trace", "--credits", "64", "--run-dir", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "requests    3 sent = 3 answered" in done.stdout
