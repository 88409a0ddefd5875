# SPDX-License-Identifier: MIT
"""check, show, help and the colour policy."""

from __future__ import annotations

import io
import json
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest
from iopf.emulator.scenario.resolution import Resolved, resolve
from iopf.emulator.scenario.schema import LISTS, TABLES
from iopf.emulator.scenario.shipped import scenario_names
from iopf.tools.cli.color import wants_color
from iopf.tools.cli.commands.demo import demo_flags
from iopf.tools.cli.commands.help import topics
from iopf.tools.cli.main import main
from iopf.tools.cli.overrides import replay_flags, to_flags
from iopf.tools.status import Status


def test_check_accepts_every_shipped_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *scenario_names()]) == Status.OK
    assert capsys.readouterr().out.count(": ok (") == len(scenario_names()) >= 5


def test_check_reports_every_mistake_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(
        "schema = 1\n[system]\nsed = 1\n[iommu]\nprq_records = 100\n"
        '[[device]]\ncredit = 3\ncount = 0\nworkload = { pattern = "zip" }\n[kernle]\n'
    )
    assert main(["check", str(file), "quickstart"]) == Status.USAGE
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 6
    assert all(str(file) in line for line in lines)
    assert any("$.device[0].credit: unknown key; did you mean 'credits'?" in x for x in lines)
    assert "quickstart: ok" in captured.out


def test_check_json_keeps_standard_output_pure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", "quickstart", "nonsense"]) == Status.USAGE
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == Status.USAGE
    assert [each["status"] for each in document["scenarios"]] == [0, 2]


def test_show_gives_values_with_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "overflow", "--set", "iommu.prq_records=256"]) == Status.OK
    lines = capsys.readouterr().out.splitlines()
    by_path = {line.split(" = ")[0]: line for line in lines}
    assert by_path["iommu.prq_records"].endswith("--set iommu.prq_records=256")
    assert by_path["device[0].credits"].endswith("overflow (shipped)")
    assert by_path["kernel.generation"].endswith("default")
    assert by_path["system.seed"].endswith("clock")


def test_show_toml_is_a_scenario(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["show", "slow-memory", "--toml"]) == Status.OK
    file = tmp_path / "copy.toml"
    file.write_text(capsys.readouterr().out)
    assert resolve(str(file)).scenario.faults == resolve("slow-memory").scenario.faults


def test_show_json_and_schema_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--json"]) == Status.OK
    document = json.loads(capsys.readouterr().out)
    assert document["values"].keys() == document["sources"].keys()
    assert main(["show", "--schema"]) == Status.OK
    schema = json.loads(capsys.readouterr().out)
    assert schema["$defs"]["Scenario"]["properties"].keys() >= {*TABLES, *LISTS, "extends"}


def test_help_lists_topics_and_shows_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == Status.OK
    listed = capsys.readouterr().out
    assert {"exit-codes", "scenario", "run", "traces", "files"} <= topics().keys()
    for topic in topics():
        assert topic in listed
        assert main(["help", topic]) == Status.OK
        page = capsys.readouterr().out
        assert len(page) > 200
        assert all(len(line) <= 100 for line in page.splitlines())


def test_help_scenario_names_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "scenario"]) == Status.OK
    page = capsys.readouterr().out
    for path in resolve("quickstart").values:
        assert path.rsplit(".", maxsplit=1)[-1] in page


def test_help_falls_back_to_the_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "clean"]) == Status.OK
    assert "--dry-run" in capsys.readouterr().out


def test_a_trace_alone_makes_one_replaying_entry() -> None:
    options = {"devices": 4, "noise": False, "seed": None, "speed": "10"}
    flags = {**replay_flags(("sqlite-index",), None), **to_flags(options)}
    resolved = resolve(None, (), flags)
    (device,) = resolved.scenario.device
    assert (device.count, device.workload.pattern, device.workload.groups) == (4, "replay", 0)
    assert resolved.scenario.trace.speed == 10.0
    assert resolved.sources["device[0].count"] == "--devices"
    assert resolved.sources["trace.files"] == "--trace"


def test_the_demo_is_a_good_scenario() -> None:
    resolved = resolve(None, (), demo_flags())
    assert resolved.scenario.device[0].count == 4
    assert resolved.scenario.trace.files == ["sqlite-index"]
    tomllib.loads(resolved.to_toml())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environ", "tty", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_color_policy(choice: str, environ: dict[str, str], tty: bool, expected: bool) -> None:
    stream = _Terminal() if tty else io.StringIO()
    assert wants_color(choice, stream, environ) is expected


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replaces the supervisor and records its calls."""
    calls: list[dict[str, Any]] = []

    def run_scenario(resolved: Resolved, **options: Any) -> int:
        calls.append({"resolved": resolved, **options})
        return Status.STUCK

    stand_in = types.ModuleType("iopf.tools.supervisor.run")
    stand_in.run_scenario = run_scenario  # type: ignore[attr-defined]
    monkeypatch.setitem(
        sys.modules, "iopf.tools.supervisor", types.ModuleType("iopf.tools.supervisor")
    )
    monkeypatch.setitem(sys.modules, "iopf.tools.supervisor.run", stand_in)
    return calls


def test_run_passes_its_options_and_returns_the_status(runs: list[dict[str, Any]]) -> None:
    arguments = ["run", "overflow", "--prq", "256", "--seed", "9", "--json", "-qq", "-v"]
    arguments += ["--run-dir", "here", "--status", "never", "--noise", "--duration", "0.5"]
    assert main(arguments) == Status.STUCK
    (call,) = runs
    resolved = call.pop("resolved")
    assert call == {"json_out": True, "status": "never", "run_dir": "here", "quiet": 1}
    assert (resolved.scenario.iommu.prq_records, resolved.seed) == (256, 9)
    assert (resolved.scenario.system.noise, resolved.scenario.system.duration_s) == (True, 0.5)


def test_demo_runs_the_same_way(runs: list[dict[str, Any]]) -> None:
    assert main(["demo", "--json"]) == Status.STUCK
    assert runs[0]["resolved"].scenario.system.name == "demo"
    assert runs[0]["json_out"] is True


def test_an_invalid_scenario_does_not_reach_the_supervisor(runs: list[dict[str, Any]]) -> None:
    assert main(["run", "overflow", "--credits", "0"]) == Status.USAGE
    assert runs == []
