# SPDX-License-Identifier: MIT
"""`iopf race fuzz`: random programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from iopf.tools.cli.main import main
from iopf.tools.lab.search.fuzz import Campaign, Fuzzer
from iopf.tools.status import Status

from tests.support.race import race


def test_fuzz_prints_its_counts(tmp_path: Path) -> None:
    args = ("fuzz", "--programs", "5", "--kernel", "v6.14", "-o", str(tmp_path / "none"))
    done = race(*args, "--json")
    assert done.returncode == Status.OK, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert (document["generation"], document["seed"], document["memory"]) == ("v6.14", 1, "tso")
    assert document["programs"] == 5
    assert document["schedules"] >= 5
    assert document["steps"] > document["schedules"]
    assert document["findings"] == []
    assert document["handovers"] == len(document["covered"]) == document["growth"][-1][1] > 50
    for before, after, where, count in document["covered"]:
        assert "/" in before
        assert "/" in after
        assert where >= 0
        assert count > 0
    assert not (tmp_path / "none").exists()
    text = race(*args)
    assert text.returncode == Status.OK
    assert text.stdout.startswith("fuzz v6.14, seed 1, memory tso\n5 programs (")
    assert f"{document['handovers']:,} hand-overs, half of them after" in text.stdout
    assert text.stdout.endswith("no failure\n")


def test_fuzz_finds_a_defect_and_saves_its_schedule(tmp_path: Path) -> None:
    args = ("--defect", "remove-before-drain", "--programs", "40", "-o", str(tmp_path))
    done = race("fuzz", *args, "--json")
    assert done.returncode == Status.FAILED, done.stdout + done.stderr
    findings = json.loads(done.stdout)["findings"]
    assert findings
    for finding in findings:
        assert finding["known"] is None
        assert finding["defects"] == ["remove-before-drain"]
        kind = finding["what"][0].partition(":")[
            0
        ]  # told before the schedule was minimised, so of another object
        assert f"remove-before-drain: {kind}:" in done.stderr
        assert sum(map(len, finding["programs"])) <= 12
        assert finding["preemptions"] >= 0
        again = race("replay", finding["file"])
        assert again.returncode == Status.FAILED
        assert "trace identical" in again.stderr


def test_a_schedule_that_cannot_be_saved_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict stands, as for a run whose result cannot be written."""
    args = ["--defect", "remove-before-drain", "--programs", "80", "-o", "/proc/nowhere", "--json"]
    assert main(["race", "fuzz", *args]) == Status.FAILED
    out, err = capsys.readouterr()
    findings = json.loads(out)["findings"]
    assert findings
    assert not [each for each in findings if each["file"]]
    assert "iopf: /proc/nowhere: cannot write: " in err


def test_without_a_new_failure_an_unsaved_schedule_is_status_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(fuzzer: Fuzzer, _seconds: float, _programs: int | None) -> Campaign:
        fuzzer.campaign.unwritten = "full: cannot write: No space left on device"
        return fuzzer.campaign

    monkeypatch.setattr(Fuzzer, "run", run)
    assert main(["race", "fuzz", "--programs", "1"]) == Status.MACHINE
    assert capsys.readouterr().err.endswith("iopf: full: cannot write: No space left on device\n")
