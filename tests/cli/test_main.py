# SPDX-License-Identifier: MIT
"""The command line: help, errors, exit statuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from iopf.emulator.scenario import errors
from iopf.tools.cli.main import ENTRIES, cli, main
from iopf.tools.status import WORST_FIRST, Status

ROOT = Path(__file__).resolve().parents[2]


def run_module(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a separate process, as a shell starts it."""
    command = [sys.executable, "-m", "iopf.tools.cli.main", *arguments]
    return subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_starts_with_two_examples(option: str) -> None:
    result = CliRunner().invoke(cli, [option])
    assert result.exit_code == 0
    examples = [line for line in result.output.splitlines() if line.startswith("iopf ")]
    assert len(examples) == 2
    assert result.output.startswith("iopf demo")


@pytest.mark.parametrize("name", list(ENTRIES))
def test_every_command_has_help_with_examples(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "-h"])
    assert result.exit_code == 0
    assert result.output.startswith(f"iopf {name}")
    assert "Usage:" in result.output


def test_help_imports_no_command_and_no_heavy_library() -> None:
    code = (
        "import sys; from iopf.tools.cli.main import main; main(['--help']); "
        "bad = {'msgspec', 'rich', 'multiprocess', 'emulator'} & set(sys.modules); "
        "bad |= {name for name in sys.modules if name.startswith('iopf.tools.cli.commands')}; "
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_version_names_schema_and_python(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == Status.OK
    assert re.match(r"iopf \S+ \(scenario schema 1, \w+ 3\.\d+\.\d+", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["rnu"], "did you mean 'run'"),
        (["run", "--sed", "3"], "--seed"),
        (["run", "--devices", "many"], "--devices"),
        (["run", "quikstart"], "did you mean 'quickstart'"),
        (["run", "quickstart", "--devices", "3"], "--set device[0].count=3"),
        (["run", "--trace", "sqlite-indx"], "did you mean 'sqlite-index'"),
        (["run", "--prq", "1000"], "try 512 or 1024"),
        (["run", "--speed", "fast"], "max"),
        (["run", "--pattern", "replay"], "trace.files"),
        (["run", "--set", "system.sed=1"], "did you mean 'seed'"),
        (["check"], "SCENARIO"),
        (["help", "exit-code"], "did you mean 'exit-codes'"),
        (["--color", "sometimes", "help"], "--color"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == Status.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert hint in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("iopf: ")


def test_known_but_unsupported_is_status_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--iommu", "amd"]) == Status.UNSUPPORTED
    assert capsys.readouterr().err.count("\n") == 1


def test_interrupt_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("iopf.tools.cli.commands.help.topics", interrupted)
    assert main(["help"]) == Status.INTERRUPTED


@pytest.mark.parametrize("debug", [False, True])
def test_an_internal_error_is_one_line_and_status_7(
    debug: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("iopf.tools.cli.commands.help.topics", broken)
    arguments = ["--debug", "help"] if debug else ["help"]
    assert main(arguments) == Status.UNTRUSTED
    captured = capsys.readouterr().err
    assert "this is a bug" in captured.splitlines()[-1]
    assert ("Traceback" in captured) == debug
    assert debug or captured.count("\n") == 1


def test_a_closed_pipe_is_not_an_error_message() -> None:
    command = (
        f"{sys.executable} -m iopf.tools.cli.main show --schema | head -1; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (Status.OK, Status.PIPE_CLOSED)
    assert done.stderr == ""


def test_a_process_returns_the_status() -> None:
    assert run_module("help").returncode == Status.OK
    done = run_module("check", "no-such-scenario")
    assert done.returncode == Status.USAGE
    assert done.stdout == ""


def test_statuses_are_documented_and_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "exit-codes"]) == Status.OK
    documented = re.findall(r"^  (\d+) ", capsys.readouterr().out, flags=re.MULTILINE)
    undocumented = {int(status) for status in Status} ^ {int(number) for number in documented}
    assert undocumented == set()
    assert (errors.USAGE, errors.UNSUPPORTED) == (Status.USAGE, Status.UNSUPPORTED)
    assert set(Status) - set(WORST_FIRST) == {Status.PIPE_CLOSED}
