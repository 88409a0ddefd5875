# SPDX-License-Identifier: MIT
"""Unwritable output: files that cannot be written, full disks, closed pipes, closed streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from iopf.shm.objects import ArenaError
from iopf.tools.cli.main import main
from iopf.tools.status import Status

RUN = ("race", "run", "4.22")
BENCH = ("race", "bench", "4.22", "--trials", "1", "--seconds", "0.1", "--strategy", "random")
FUZZ = ("race", "fuzz", "--programs", "1")


@pytest.fixture
def schedule(tmp_path: Path) -> str:
    file = tmp_path / "good.json"
    assert main([*RUN, "-o", str(file)]) == Status.FAILED
    return str(file)


@pytest.mark.parametrize("command", [RUN, BENCH, ("race", "minimise", "x.json"), ("bench", "size")])
@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("", "expected a name"),
        (".", "'.' is a directory; expected a file"),
        ("no-such-dir/x.json", "no directory 'no-such-dir'; create it first"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_a_file_that_cannot_be_made_is_refused_before_the_work(
    command: tuple[str, ...], output: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "-o", output]) == Status.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("output", "says"), [("", "expected a name"), ("/dev/null/x", "'/dev/null' is not a directory")]
)
def test_a_directory_that_cannot_be_made_is_refused_before_the_work(
    output: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FUZZ, "-o", output]) == Status.USAGE
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


def test_a_file_that_was_written_is_named_beside_the_result(
    schedule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.json"
    for args in (RUN, (*RUN, "--json"), ("race", "minimise", schedule), BENCH):
        capsys.readouterr()
        main([*args, "-o", str(file)])
        out, err = capsys.readouterr()
        assert err.splitlines()[-1] == f"written: {file}"
        assert str(file) not in out


@pytest.mark.parametrize("command", ["run", "minimise", "bench"])
def test_a_full_disk_is_status_3_and_the_result_is_printed(
    command: str, schedule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = {"run": RUN, "minimise": ("race", "minimise", schedule), "bench": BENCH}[command]
    capsys.readouterr()
    assert main([*args, "-o", "/dev/full"]) == Status.MACHINE
    out, err = capsys.readouterr()
    expected = "remove-before-drain" if command == "bench" else "use after free: group"
    assert expected in out
    last = err.splitlines()[-1]
    assert last == "iopf: /dev/full: cannot write: No space left on device"


def test_a_campaign_continues_when_a_schedule_cannot_be_saved(
    capsys: pytest.CaptureFixture[str],
) -> None:
    args = ("race", "fuzz", "--defect", "remove-before-drain", "--programs", "8", "-o", "/proc/x")
    assert main(args) == Status.FAILED
    out, err = capsys.readouterr()
    assert "8 programs" in out
    assert "/proc/x: cannot write: " in err


@pytest.mark.parametrize("command", [RUN, (*RUN, "--mode", "native"), ("race", "kill", "4.22")])
def test_a_machine_without_room_is_one_line_and_status_3(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_room(*_args: object) -> None:
        raise ArenaError("/dev/shm: no room")

    monkeypatch.setattr("iopf.tools.lab.play.system.new_arena", no_room)
    monkeypatch.setattr("iopf.tools.supervisor.system.new_arena", no_room)
    assert main(command) == Status.MACHINE
    assert capsys.readouterr().err == "iopf: /dev/shm: no room\n"


COMMANDS = (
    ("race", "list"),
    ("race", "show", "4.22"),
    RUN,
    (*RUN, "--fixed", "--json", "--schedules", "50"),
    ("race", "run", "4.56", "--mode", "native"),
    ("race", "prove", "4.1", "--executions", "100", "--delays", "0", "--preemptions", "0"),
    ("race", "kill", "4.22", "--schedules", "1", "--actor", "dev-00"),
    ("race", "--help"),
)
IDS = [" ".join(command[1:]) for command in COMMANDS]


def iopf(command: tuple[str, ...], redirection: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a shell that redirects its streams."""
    return subprocess.run(
        [
            "bash",
            "-c",
            f'"$@" {redirection}',
            "-",
            sys.executable,
            "-m",
            "iopf.tools.cli.main",
            *command,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )


@pytest.mark.parametrize("command", COMMANDS, ids=IDS)
def test_a_closed_pipe_is_status_141(command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "iopf.tools.cli.main", *command],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert done.returncode == Status.PIPE_CLOSED, done.stderr
    assert "Traceback" not in done.stderr
    assert "iopf: " not in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=IDS)
def test_a_full_standard_output_is_one_line_and_status_3(command: tuple[str, ...]) -> None:
    done = iopf(command, ">/dev/full")
    assert done.returncode == Status.MACHINE, done.stderr
    line = "iopf: standard output: cannot write: No space left on device"
    assert done.stderr.splitlines()[-1] == line


@pytest.mark.parametrize("command", COMMANDS, ids=IDS)
def test_a_closed_stream_changes_no_status(command: tuple[str, ...]) -> None:
    status = Status.FAILED if command in (RUN, COMMANDS[4]) else Status.OK
    for redirection in (">&-", "2>&-", ">&- 2>&- <&-"):
        done = iopf(command, redirection)
        assert done.returncode == status, f"{redirection}: {done.stderr}"
        assert "iopf: " not in done.stderr


def test_unwritable_messages_do_not_change_the_status() -> None:
    done = iopf(("race", "replay", "no-such.json"), "2>/dev/full")
    assert done.returncode == Status.USAGE
    assert done.stdout == ""


def test_a_group_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race"]) == Status.OK
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("prove", "4.22", "--seconds", "nan"), "'nan' is not a number of seconds"),
        (("run", "4.22", "--seconds", "nan"), "'nan' is not a number of seconds"),
        (("run", "4.22", "--strategy", "dfs", "--schedules", "9" * 20), "--schedules"),
        (
            ("run", "4.22", "--strategy", "dfs", "--mode", "processes"),
            "needs fibers, not --mode processes",
        ),
        (("run", "4.22", "--strategy", "dfs", "--memory", "tso"), "not --memory tso"),
        (("run", "4.22", "--strategy", "dpor", "--memory", "tso"), "not --memory tso"),
        (("run", "\udcff"), "no race or scenario '\\xff'"),
        (("show", "4.22\udcfe\ud800"), "no race '4.22\\xfe\\ud800'"),
        (("run", "4.22", "--seed", "0x10"), "'0x10' is not an integer (see"),
        (("kill", "4.22", "--schedules", "x"), "'x' is not an integer (see"),
        (("run", "4.22", "--seconds", "x"), "'x' is not a number (see"),
        (("run", "4.22", "--seed", "-1"), "-1 is not in the range"),
        (("fuzz", "--defect", "4.22"), "'4.22'; did you mean 'remove-before-drain'? (see"),
        (("fuzz", "--defect", "remove-befor"), "; did you mean 'remove-before-drain'? (see"),
        (("fuzz", "--defect", "4.9"), "no defect '4.9'; see iopf race list"),
        (("fuzz", "--kernel", "v5.13", "--defect", "remove-before-drain"), "v5.13 has no remove"),
        (("kill", "/dev/zero"), "/dev/zero: larger than"),
    ],
)
def test_invalid_numbers_and_names(
    args: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["race", *args]) == Status.USAGE
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("option", ["--devices", "--prq", "--seed"])
def test_every_command_rejects_an_invalid_number_with_the_same_words(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", option, "0x10"]) == Status.USAGE
    assert "'0x10' is not an integer (see iopf run --help)" in capsys.readouterr().err


def test_a_catalogue_number_as_a_defect_suggests_the_slug(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "--defect", "4.22"]) == Status.USAGE
    err = capsys.readouterr().err
    assert "no defect '4.22'; did you mean 'remove-before-drain'?" in err


@pytest.mark.parametrize(("locale", "blocks"), [("C", False), ("C.UTF-8", True)])
def test_a_plot_respects_the_locale(locale: str, blocks: bool) -> None:
    settings = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "iopf.tools.cli.main", *BENCH],
        capture_output=True,
        check=True,
        timeout=60,
        env={name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}
        | settings,
    )
    assert done.stdout.isascii() is not blocks
    assert b"random" in done.stdout
