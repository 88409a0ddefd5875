# SPDX-License-Identifier: MIT
"""Arguments, limits and moments that end a command early: one line and a documented status."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from iopf.tools.cli.main import main
from iopf.tools.status import Status

from tests.support.running import iopf

ODD = b"odd-\xff\xfe"


def test_file_names_may_have_any_bytes(tmp_path: Path) -> None:
    directory = os.fsencode(tmp_path) + b"/" + ODD
    command = [sys.executable, "-m", "iopf.tools.cli.main", "run", "quickstart", "--run-dir"]
    done = subprocess.run([*command, directory], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(b"verdict     PASS")
    assert b"odd-\\xff\\xfe" in done.stdout
    assert (Path(os.fsdecode(directory)) / "result.json").exists()


def test_too_few_open_files_are_told_before_the_start(tmp_path: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))

    command = [sys.executable, "-m", "iopf.tools.cli.main", "run", "quickstart"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=few, cwd=tmp_path
    )
    assert done.returncode == Status.MACHINE
    (line,) = [line for line in done.stderr.splitlines() if "open files" in line]
    assert "the limit is 60; use fewer devices, or raise it (ulimit -Hn)" in line
    assert done.stdout == ""


def test_a_low_soft_limit_is_raised(tmp_path: Path) -> None:
    def soft() -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, hard))

    command = [sys.executable, "-m", "iopf.tools.cli.main", "run", "quickstart"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=soft, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("after_ms", [1, 10, 20, 40, 80, 120])
def test_an_interrupt_at_any_moment_has_no_traceback(tmp_path: Path, after_ms: int) -> None:
    script = (
        "import os, signal, sys, threading\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # as `entry` does first
        f"threading.Timer({after_ms} / 1000, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "sys.argv = ['iopf', 'run', 'quickstart']\n"
        "from iopf.tools.cli.entry import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode in (Status.INTERRUPTED, -signal.SIGINT, Status.OK), done.stderr
    assert "Traceback" not in done.stderr


def test_the_first_module_of_the_command_ends_interrupts_quietly() -> None:
    script = (
        "import signal, iopf.tools.cli.entry\n"
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_full_disk_loses_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace = os.replace

    def full(source: str, target: Path) -> None:
        if target.name == "testid.txt":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    status = main(["run", "quickstart", "-qq", "--run-dir", str(tmp_path / "run")])
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].startswith("verdict     PASS"), err
    assert status == Status.MACHINE
    assert "testid.txt: cannot write: No space left on device; the verdict stands" in err
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"scenario.resolved.toml", "result.json", "log.txt"}


def test_the_event_log_makes_room_for_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk has room for the events or for the result, not for both."""
    replace, events = os.replace, tmp_path / "run" / "events.bin"

    def nearly_full(source: str, target: Path) -> None:
        if target.name == "result.json" and events.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", nearly_full)
    status = main(["run", "quickstart", "-qq", "--run-dir", str(tmp_path / "run")])
    assert status == Status.MACHINE
    assert "events.bin: removed to make room for the result" in capsys.readouterr().err
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"scenario.resolved.toml", "result.json", "log.txt", "testid.txt"}


def test_the_files_of_a_run_are_private(tmp_path: Path) -> None:
    done = iopf("run", "quickstart", "-v", "--run-dir", str(tmp_path / "run"))
    assert done.returncode == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "run").iterdir()}
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert modes == dict.fromkeys(
        ("result.json", "log.txt", "testid.txt", "scenario.resolved.toml", "events.bin"), 0o600
    )


def test_a_directory_used_again_holds_the_new_run_alone(tmp_path: Path) -> None:
    first = iopf("run", "quickstart", "--run-dir", str(tmp_path / "run"))
    assert first.returncode == 0
    assert (tmp_path / "run" / "events.bin").exists()
    args = ("quickstart", "-qq", "--run-dir", str(tmp_path / "run"))
    iopf("run", *args, "--set", "system.events=none")
    assert not (tmp_path / "run" / "events.bin").exists()
