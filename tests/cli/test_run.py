# SPDX-License-Identifier: MIT
"""`iopf run` and related commands: results, streams, exit statuses, invalid input."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from iopf.emulator.scenario.shipped import scenario_names, trace_names
from iopf.tools.status import Status

from tests.support.running import ENDLESS, Running, iopf, shortened


@pytest.mark.parametrize("name", scenario_names())
def test_every_shipped_scenario_passes(name: str, tmp_path: Path) -> None:
    short = [word for value in shortened(name) for word in ("--set", value)]
    done = iopf("run", name, "--run-dir", str(tmp_path), "--seed", "7", *short)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= 25
    assert lines[-1].startswith("verdict     PASS")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["account"]["in_flight"] == 0
    assert result["timeouts_with_work"] == 0
    assert (tmp_path / "scenario.resolved.toml").exists()


@pytest.mark.parametrize("name", trace_names())
def test_every_shipped_trace_is_accounted_for(name: str, tmp_path: Path) -> None:
    done = iopf(
        "run",
        "--trace",
        name,
        "--devices",
        "4",
        "--handlers",
        "2",
        "--json",
        "--run-dir",
        str(tmp_path),
    )
    assert done.returncode == Status.OK, done.stdout + done.stderr
    result = json.loads(done.stdout)
    device = result["sides"]["device"]
    assert result["trace"]["faults"] == result["trace"]["requests"] + sum(
        result["trace"]["skipped"].values()
    )
    assert device["sent"] - device["retries"] + device["abandoned"] == result["trace"]["requests"]
    assert device["abandoned"] == 0
    assert result["account"]["answered_invalid"] == result["trace"]["forbidden_faults"] == 0
    assert result["account"]["in_flight"] == 0


def test_a_small_queue_overflows_and_everything_is_still_answered(tmp_path: Path) -> None:
    done = iopf(
        "run",
        "--trace",
        "python-sort",
        "--devices",
        "4",
        "--handlers",
        "2",
        "--prq",
        "128",
        "--credits",
        "512",
        "--groups-in-flight",
        "64",
        "--speed",
        "max",
        "--json",
        "--run-dir",
        str(tmp_path),
    )
    assert done.returncode == Status.OK, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["iommu"]["overflows"] > 0
    assert result["sides"]["device"]["retries"] > 0
    assert result["account"]["lost"]["overflow"] > 0
    assert result["account"]["in_flight"] == 0


def test_paced_replay_takes_as_long_as_the_trace(tmp_path: Path) -> None:
    done = iopf(
        "run", "--trace", "sqlite-index", "--speed", "1", "--json", "--run-dir", str(tmp_path)
    )
    result = json.loads(done.stdout)
    assert result["wall_s"] >= result["trace"]["duration_ns"] / 1e9
    assert done.returncode == Status.OK


@pytest.mark.parametrize("seed", ["1", "2"])
def test_noise_changes_only_timing(seed: str, tmp_path: Path) -> None:
    done = iopf(
        "run",
        "quickstart",
        "--noise",
        "--seed",
        seed,
        "--json",
        "--run-dir",
        str(tmp_path),
        "--set",
        "device.workload.groups=300",
    )
    result = json.loads(done.stdout)
    assert done.returncode == Status.OK, result["problems"]
    assert sum(role["points"] for role in result["roles"].values()) > 1000


def test_memory_that_runs_out_is_answered_failure(tmp_path: Path) -> None:
    """A pool of four groups for sixteen in flight: FAILURE disables PRI, nothing hangs, nothing leaks."""
    done = iopf(
        "run",
        "--devices",
        "2",
        "--set",
        "kernel.groups=4",
        "--set",
        "faults.minor_ns=50000",
        *ENDLESS[:2],
        "--json",
        "--run-dir",
        str(tmp_path),
    )
    result = json.loads(done.stdout)
    assert done.returncode == Status.OK, result["problems"]
    assert result["account"]["answered_failure"] > 0
    assert any(d["device"]["failed"] for d in result["per_device"])


def test_json_is_one_object_and_messages_are_on_stderr(tmp_path: Path) -> None:
    done = iopf("run", "one-request", "--json", "--run-dir", str(tmp_path))
    assert json.loads(done.stdout)["schema"] == "iopf/1"
    assert "starting" in done.stderr


def test_quiet_twice_prints_only_the_verdict(tmp_path: Path) -> None:
    done = iopf("run", "one-request", "-qq", "--run-dir", str(tmp_path))
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["run", "no-such-scenario"], Status.USAGE, "no-such-scenario"),
        (["run", "--trace", "no-such-trace"], Status.USAGE, "no-such-trace"),
        (["run", "--iommu", "amd"], Status.UNSUPPORTED, "amd"),
        (["run", "--devices", "0"], Status.USAGE, "device"),
        (["run", "--run-dir", "/proc/nowhere"], Status.MACHINE, "run directory"),
        (["run", "--run-dir", "/dev/null"], Status.USAGE, "run directory"),
        (["top", "999999999"], Status.USAGE, "999999999"),
        (["top", "/iopf-0-1-1"], Status.USAGE, "no such system"),
    ],
)
def test_bad_input_is_one_line_and_a_status(
    args: list[str], status: int, words: str, tmp_path: Path
) -> None:
    done = iopf(*args)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_broken_trace_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.ftrace"
    path.write_text(
        " a-1 [000] d.... 1.000001: page_fault_user: address=0x1000 ip=0x1 error_code=0x6\nnonsense\n"
    )
    done = iopf("run", "--trace", str(path), "--run-dir", str(tmp_path / "run"))
    assert done.returncode == Status.USAGE
    assert f"{path}:2:" in done.stderr
    assert not (tmp_path / "run").exists()
    lenient = iopf(
        "run", "--trace", str(path), "--lenient", "--json", "--run-dir", str(tmp_path / "run")
    )
    assert lenient.returncode == Status.OK, lenient.stderr
    assert json.loads(lenient.stdout)["trace"]["skipped"] == {"malformed line": 1}


def test_a_trace_from_standard_input(tmp_path: Path) -> None:
    text = "".join(
        f" a-1 [000] d.... 1.0000{i:02}: page_fault_user: address={0x7000000 + i * 4096:#x} ip=0x1 error_code=0x6\n"
        for i in range(10)
    )
    done = iopf("run", "--trace", "-", "--json", "--run-dir", str(tmp_path), stdin=text)
    assert done.returncode == Status.OK, done.stderr
    assert json.loads(done.stdout)["account"]["answered_ok"] == 10


def test_a_machine_without_room_is_status_3(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = subprocess.run(
        [sys.executable, "-m", "iopf.tools.cli.main", "run", "--run-dir", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    assert done.returncode == Status.MACHINE, done.stderr
    assert "/dev/shm: the board needs" in done.stderr
    assert "Traceback" not in done.stderr


def test_ps_and_top_see_a_running_system(tmp_path: Path) -> None:
    with Running(tmp_path, "--devices", "3", *ENDLESS) as run:
        rows = json.loads(iopf("ps", "--json").stdout)["systems"]
        mine = [row for row in rows if row["pid"] == run.process.pid]
        assert [(row["devices"], row["state"]) for row in mine] == [(3, "run")]
        top = iopf("top", str(run.process.pid), "--once", "--json", "--interval", "0.3")
        sample = json.loads(top.stdout)
        assert len(sample["devices"]) == 3
        assert sample["rate"] > 0
        assert sample["stages"]["round trip"]["count"] > 0
        screen = iopf("top", str(run.process.pid), "--once", "--interval", "0.2").stdout
        assert "dev-02" in screen
        assert "round trip" in screen


def test_sixty_four_devices_become_ready(tmp_path: Path) -> None:
    done = iopf("run", "many-devices", "--json", "--run-dir", str(tmp_path))
    result = json.loads(done.stdout)
    assert (done.returncode, len(result["per_device"])) == (Status.OK, 64)


def test_the_largest_system_starts_and_stops(tmp_path: Path) -> None:
    done = iopf(
        "run",
        "--devices",
        "256",
        "--handlers",
        "32",
        "--json",
        "--run-dir",
        str(tmp_path),
        "--set",
        "device.workload.groups=20",
        "--set",
        "tenant.count=4",
        "--set",
        "system.watchdog_s=30",
    )
    result = json.loads(done.stdout)
    assert done.returncode == Status.OK, result["problems"]
    assert result["devices"] == 256


def test_a_run_enables_a_defect(tmp_path: Path) -> None:
    done = iopf(
        "run", "quickstart", "--defect", "pasid-ref-leak", "--run-dir", str(tmp_path / "run")
    )
    assert done.returncode == Status.FAILED, done.stdout
    assert "PASIDs are still allocated" in done.stdout
    wrong = iopf("run", "quickstart", "--defect", "pasid-ref-leek")
    assert wrong.returncode == Status.USAGE
    assert "--defect" in wrong.stderr
    assert "did you mean" in wrong.stderr


def test_a_board_beyond_its_limit_is_refused(tmp_path: Path) -> None:
    """A few numbers ask for gigabytes; nothing is reserved before they are checked."""
    path = tmp_path / "large.toml"
    path.write_text(
        "schema = 1\nsystem.event_records = 1048576\n[[device]]\ncount = 256\ncredits = 32768\n"
    )
    done = iopf("run", str(path), "--run-dir", str(tmp_path / "run"))
    assert done.returncode == Status.USAGE, done.stderr
    assert "MiB, system.board_mib is 4,096; lower event_records" in done.stderr
    assert not (tmp_path / "run").exists()
    small = iopf("run", "one-request", "--set", "system.board_mib=16", "--run-dir", str(tmp_path))
    assert small.returncode == Status.OK, small.stderr
