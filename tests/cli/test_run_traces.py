# SPDX-License-Identifier: MIT
"""`iopf run --trace` on recordings with unusual content: high addresses, many processes, captures of prq_report, large traces."""

from __future__ import annotations

import json
import lzma
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from iopf.tools.status import Status

from tests.support.running import iopf


def fault(pid: int, t_us: int, address: int) -> str:
    return (
        f"p-{pid} [000] .... 1.{t_us:06}: page_fault_user: address=0x{address:x} ip=0x1 "
        "error_code=0x6\n"
    )


def request(number: int, frame: int, flags: str, pasid: int, index: int) -> str:
    return (
        f"  irq/58-dmar5-prq-402 [006] ..... 77.{number:06}: prq_report: dmar5/0000:d1:00.0 "
        f"seq# {number}: rid=0xd100 addr=0x{frame:x} {flags} pasid=0x{pasid:x} index=0x{index:x}\n"
    )


def replay(tmp_path: Path, text: str, *args: str) -> dict[str, Any]:
    """The result of a run that passes."""
    path = tmp_path / "trace"
    path.write_text(text)
    done = iopf("run", "--trace", str(path), "--json", "--run-dir", str(tmp_path / "run"), *args)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["account"]["in_flight"] == 0
    return result


def refused(tmp_path: Path, text: str, *args: str) -> str:
    """The one line of a run that does not start."""
    path = tmp_path / "trace"
    path.write_text(text)
    done = iopf("run", "--trace", str(path), "--run-dir", str(tmp_path / "refused"), *args)
    assert done.returncode == Status.USAGE, done.stdout + done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "refused").exists()
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("address", [1 << 47, (1 << 56) - 4096, 1 << 56, (1 << 63) - 4096])
def test_a_fault_above_every_mapping_is_answered_invalid(address: int, tmp_path: Path) -> None:
    """From 2^47 on no page is mapped; from 2^56 on the address is not canonical either."""
    text = fault(100, 1, address) + fault(100, 2, 0x7F0000001000)
    result = replay(tmp_path, text, "--devices", "2")
    account = result["account"]
    assert (account["sent"], account["answered_ok"]) == (2, 1)
    assert account["answered_invalid"] + account["rejected"] == 1
    assert account["rejected"] == (address >= 1 << 56)
    assert result["trace"]["unmapped_faults"] == 1


def test_a_trace_of_many_processes_runs(tmp_path: Path) -> None:
    text = "".join(fault(100 + i, i, 0x7F0000001000) for i in range(80))
    result = replay(tmp_path, text, "--set", "system.watchdog_s=30")
    assert (result["trace"]["processes"], result["account"]["answered_ok"]) == (80, 80)


def test_more_processes_than_can_run_are_refused(tmp_path: Path) -> None:
    text = "".join(fault(100 + i, i, 0x7F0000001000) for i in range(257))
    assert "trace:257: more than 256 processes" in refused(tmp_path, text)
    (tmp_path / "trace").write_text("".join(fault(100 + i, i, 0x7F0000001000) for i in range(250)))
    scenario = tmp_path / "mixed.toml"
    scenario.write_text(
        "schema = 1\ntrace.files = ['trace']\n[[device]]\nworkload.pattern = 'replay'\n"
        "workload.groups = 0\n[[device]]\ncount = 7\n[[tenant]]\ncount = 7\n"
    )
    done = iopf("run", str(scenario), "--run-dir", str(tmp_path / "refused"))
    assert done.returncode == Status.USAGE
    assert "250 processes and PASIDs, and 7 tenants of the scenario; at most 256" in done.stderr


def test_a_group_without_its_last_request_stays_open(tmp_path: Path) -> None:
    text = (
        request(100, 0x7FC3E1200, "r----", 8, 2)
        + request(101, 0x7FC3E1201, "r----", 8, 2)
        + request(102, 0x7FC3E1440, "-w--l", 8, 5)
    )
    result = replay(tmp_path, text)
    account = result["account"]
    assert (account["sent"], account["answered_ok"], account["lost_total"]) == (3, 1, 2)
    assert (result["trace"]["groups"], result["trace"]["open_groups"]) == (2, 1)
    assert result["sides"]["kernel"]["partial_added"] == 2
    shown = iopf("run", "--trace", str(tmp_path / "trace"), "--run-dir", str(tmp_path / "again"))
    assert "1 group without a last request, kept as partials" in shown.stdout


@pytest.mark.parametrize("kernel", ["v6.9", "v6.12", "v6.13", "v7.2"])
def test_pasid_0_is_a_request_without_pasid(kernel: str, tmp_path: Path) -> None:
    text = request(100, 0x1A3F0, "rw--l", 0, 6) + request(101, 0x1A3F0, "rw--l", 8, 7)
    result = replay(tmp_path, text, "--kernel", kernel)
    account = result["account"]
    assert (account["answered_ok"], account["auto_invalid"]) == (1, 1)
    assert result["trace"]["implicit_mappings"] == 1


def test_a_group_larger_than_the_credits_is_refused(tmp_path: Path) -> None:
    text = "".join(request(n, 0x7FC3E2000 + n, "r----", 8, 7) for n in range(36))
    text += request(36, 0x7FC3E2024, "r---l", 8, 7)
    line = refused(tmp_path, text)
    assert "group of 37 requests (line 1-37)" in line
    assert "needs --credits 37 or more" in line
    assert replay(tmp_path, text, "--credits", "37")["account"]["answered_ok"] == 37
    assert "at most 64" in refused(tmp_path, text.replace("r---l", "r----") * 2)


def test_open_groups_need_credits_and_places_of_their_own(tmp_path: Path) -> None:
    text = "".join(request(n, 0x7FC3E2000 + n, "r----", 8, n) for n in range(20))
    text += request(20, 0x7FC3E3000, "r---l", 8, 30)
    assert "needs --groups-in-flight 21 or more" in refused(tmp_path, text)
    assert "needs --credits 21 or more" in refused(tmp_path, text, "--credits", "20")
    result = replay(tmp_path, text, "--groups-in-flight", "21")
    assert (result["account"]["answered_ok"], result["trace"]["open_groups"]) == (1, 20)


def test_the_output_of_trace_cmd_report_runs(tmp_path: Path) -> None:
    text = (
        "cpus=4\n"
        "          loader-2071  [002]  3310.417250: page_fault_user:      "
        "address=0x7f61b8a04000 ip=0x7f61b9c0117e error_code=0x6\n"
        "          loader-2071  [002]  3310.417262: page_fault_user:      "
        "address=0x7f61b8a05000 ip=0x7f61b9c0117e error_code=0x6\n"
        "   irq/93-dmar2-338    [001]  3310.417300: prq_report:           "
        "dmar2/0000:70:00.0 seq# 1: rid=0x7000 addr=0x7f61b8a06 rw--l pasid=0x4 index=0x9\n"
    )
    result = replay(tmp_path, text)
    assert (result["account"]["sent"], result["trace"]["processes"]) == (3, 2)


def test_the_number_of_events_is_bounded_whatever_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xz"
    path.write_bytes(lzma.compress(fault(100, 0, 0x7F0000001000).encode() * 400_000))
    assert path.stat().st_size < 20_000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (300 << 20, 300 << 20))

    done = subprocess.run(
        [sys.executable, "-m", "iopf.tools.cli.main", "run", "--trace", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        preexec_fn=limit,
    )
    assert done.returncode == Status.USAGE, done.stderr
    assert done.stderr.splitlines()[-1].startswith(
        f"iopf: {path}:250001: more than 250000 events; cut the trace, or raise the limit"
    )
    small = iopf("run", "--trace", "sqlite-index", "--max-events", "1000")
    assert "more than 1000 events" in small.stderr


def test_a_process_name_cannot_write_lines_of_its_own(tmp_path: Path) -> None:
    name = "x\x1b[2J\rverdict PASS"
    text = fault(100, 1, 0x7F0000001000).replace("p-100", f"{name}-100")
    path = tmp_path / "a\nverdict     PASS"
    path.write_text(text)
    done = iopf("run", "--trace", str(path), "-v", cwd=tmp_path)
    assert done.returncode == Status.OK, done.stderr
    for line in (done.stdout + done.stderr).splitlines():
        assert line.isprintable(), line
    assert [line for line in done.stdout.splitlines() if line.startswith("verdict")] == [
        done.stdout.splitlines()[-1]
    ]


def test_reading_a_long_trace_shows_its_progress(tmp_path: Path) -> None:
    """Every READING_S; without waiting for it, every 8,192 lines."""
    path = tmp_path / "trace"
    path.write_text(fault(100, 0, 0x7F0000001000) * 20_000)
    code = (
        "import sys; from iopf.tools.supervisor import status_line; status_line.READING_S = 0\n"
        "from iopf.tools.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "--trace", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == Status.OK, done.stderr
    assert done.stderr.splitlines()[:3] == [
        f"iopf: reading {path}: 8,192 lines, 8,191 events",
        f"iopf: reading {path}: 16,384 lines, 16,383 events",
        "iopf: planning 20,000 requests",
    ]
