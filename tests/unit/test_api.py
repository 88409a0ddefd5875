# SPDX-License-Identifier: MIT
"""The Python interface: its results, its errors, and the example of its help page."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from iopf.tools import api
from iopf.tools.api import IopfError, Outcome, Status, explore, prove, replay, run, run_programs
from iopf.tools.api.arguments import DEFAULTS
from iopf.tools.cli.commands.help import page

UNBIND = ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"]
SEND = ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a try"]
BUG: dict[str, Any] = {
    "kernel": {"defects": ["remove-before-drain"]},
    "device": [{"stop": "marker"}],
}


def example() -> str:
    """The program of `iopf help python`."""
    text = page("python")
    first, last = text.index("    def main()"), text.index("        main()\n\nA program")
    code = text[first:last] + "        main()\n"
    return text.splitlines()[2].strip() + "\n\n\n" + textwrap.dedent(code)


def test_the_example_of_the_help_page_runs(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(example())
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    status, *rest = done.stdout.splitlines()
    assert status.startswith("0 () ")
    assert rest[0].startswith(("use after free: ", "invalid pointer"))
    assert "minimal ordering constraints:" in rest
    assert (tmp_path / "uaf.json").exists()
    assert done.stderr == ""


def test_the_help_page_names_every_argument_and_result() -> None:
    text = page("python")
    for function in (run, run_programs, explore, prove, replay):
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                assert parameter.name in text, f"{function.__name__}({parameter.name})"
    for name in api.__all__:
        if dataclasses.is_dataclass(getattr(api, name)):
            assert name in text
    for outcome in Outcome:
        assert f"Outcome.{outcome.name}" in text


def test_run_takes_a_name_a_file_and_tables(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("schema = 1\n[[device]]\nworkload = { groups = 2 }\n")
    tables = {"device": [{"workload": {"groups": 1}}], "system": {"seed": 9}}
    for scenario in ("one-request", file, tables):
        result = run(scenario, sets=["system.seed=9"])
        assert (result.status, result.problems, result.seed) == (Status.OK, (), 9)
        assert result.passed
        assert result.document["account"]["in_flight"] == 0


def test_run_programs_returns_the_answers() -> None:
    result = run_programs(["map t0 4", "bind d0 t0", "send d0 t0 pages=4 group=a", "await d0"])
    assert result.passed
    assert result.answers["dev-00"]["a"] == [0]
    failed = run_programs(["map t0 4", "bind d0 t0", "unmap t0 4", "touch t0 4"])
    assert failed.status is Status.FAILED
    assert not failed.passed
    assert len(failed.problems) == 1


def test_explore_finds_saves_and_replays(tmp_path: Path) -> None:
    found = explore(UNBIND, SEND, schedules=3000, seed=4, **BUG)
    assert found.failure is not None
    assert found.failure.what[0].startswith(("use after free", "invalid pointer", "bad word"))
    same = explore(UNBIND, SEND, schedules=3000, seed=4, **BUG)
    assert (same.schedules, same.failure) == (found.schedules, found.failure)
    file = tmp_path / "found.json"
    found.failure.save(file)
    again = replay(file)
    assert again.same
    assert again.failure is not None
    assert again.failure.what == found.failure.what
    assert again.failure.table == found.failure.table
    assert "programs:\n    map t0 4\n" in again.failure.report()
    sound = explore(UNBIND, SEND, schedules=50)
    assert (sound.schedules, sound.failure) == (50, None)


def test_the_outcomes_of_a_proof() -> None:
    small = prove(["map t0 4", "t0: start", "unmap t0 4"], executions=10_000)
    assert (small.outcome, small.complete) == (Outcome.PROVED, True)
    bounded = prove(UNBIND, SEND, executions=100, delays=1)
    assert (bounded.outcome, bounded.executions, bounded.delays) == (Outcome.BOUNDED, 100, 1)
    assert bounded.schedules == 100 + bounded.delayed
    short = prove(UNBIND, SEND, executions=2**40, seconds=0.01)
    assert short.outcome is Outcome.INCONCLUSIVE
    bug = prove(UNBIND, SEND, executions=100_000, **BUG)
    assert bug.outcome is Outcome.FAILED
    assert bug.failure is not None


@pytest.mark.parametrize(
    ("call", "says", "status"),
    [
        (lambda: run("no-such"), "no scenario named 'no-such'; shipped are", Status.USAGE),
        (lambda: run({"kernle": {}}), "kernle: unknown section", Status.USAGE),
        (lambda: run_programs(["mapp t0 4"]), "program 0, 'mapp t0 4': 'mapp' is no", Status.USAGE),
        (run_programs, "no program; give at least one list of lines", Status.USAGE),
        (lambda: explore(UNBIND, schedules=0), "explore(schedules=0): expected 1", Status.USAGE),
        (lambda: explore(UNBIND, live={"x": 1}), "live: no pool 'x'; expected", Status.USAGE),
        (lambda: explore("map t0 4"), "program 0 is 'map t0 4'; expected a list", Status.USAGE),
        (lambda: prove(UNBIND, delays=9), "prove(delays=9): expected 0 to 8", Status.USAGE),
        (
            lambda: prove(UNBIND, kernel={"handlers": 20}),
            "26 processes; at most 15 can be explored",
            Status.UNSUPPORTED,
        ),
        (lambda: replay("no-such.json"), "no-such.json: cannot read: ", Status.USAGE),
    ],
)
def test_a_mistake_is_one_line_and_a_status(call: Any, says: str, status: Status) -> None:
    with pytest.raises(IopfError) as caught:
        call()
    (line,) = caught.value.lines
    assert says in line
    assert caught.value.status is status


def test_settings_are_the_defaults_of_the_functions() -> None:
    for function in (explore, prove, replay):
        for parameter in inspect.signature(function).parameters.values():
            if hasattr(DEFAULTS, parameter.name):
                assert parameter.default == getattr(DEFAULTS, parameter.name)
