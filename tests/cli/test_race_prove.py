# SPDX-License-Identifier: MIT
"""`iopf race prove`: all schedules, or as many as the budget allows."""

from __future__ import annotations

import json
import re

import pytest
from iopf.tools.cli.main import main
from iopf.tools.lab.search.prove import Proof
from iopf.tools.status import Status

from tests.support.race import race


def test_prove_prints_what_is_proved() -> None:
    ended = race("prove", "4.17", "--seconds", "6", "--preemptions", "0")
    assert ended.returncode == Status.OK, ended.stderr
    assert "the budget ended: no schedule with at most 0 preemptions fails" in ended.stdout
    bad = race("prove", "4.1", "--defective", "--json")
    assert bad.returncode == Status.FAILED
    document = json.loads(bad.stdout)
    assert document["failure"][0].startswith("deadlock")
    assert document["failure_preemptions"] == 0


def test_a_number_of_executions_decides_what_is_too_many() -> None:
    done = race("prove", "4.1", "--executions", "500", "--delays", "1", "--preemptions", "0")
    assert done.returncode == Status.OK, done.stdout + done.stderr
    assert "\nthe budget ended: no schedule with at most 0 preemptions fails, nor" in done.stdout
    assert "; 500 executions, then " in done.stdout
    whole = race("prove", "bad-setup-silent", "--executions", "1000000", "--json")
    assert whole.returncode == Status.OK, whole.stderr
    assert json.loads(whole.stdout)["outcome"] == "proved"


def test_an_interrupt_between_two_bounds_is_reported() -> None:
    proof = Proof(100, True, bounded=20, preemptions=0, most=2, stopped=True)
    assert proof.verdict == "interrupted: no schedule with at most 0 preemptions fails"
    assert proof.played == "100 executions, then 20 schedules of at most 1 preemption"


def test_prove_runs_every_schedule() -> None:
    done = race("prove", "bad-setup-silent", "--json")
    assert done.returncode == Status.OK, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["complete"] is True
    assert document["executions"] > 100_000
    assert (document["race"], document["variant"], document["memory"]) == (
        "bad-setup-silent",
        "fixed",
        "sc",
    )
    assert (document["bounded_schedules"], document["complete_up_to_preemptions"]) == (0, None)
    assert (document["failure"], document["failure_preemptions"]) == ([], None)


def test_prove_prints_the_failing_schedule() -> None:
    args = ("prove", "4.1", "--defective", "--seconds", "10")
    done = race(*args)
    assert done.returncode == Status.FAILED, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "4.1 flush-holds-lock-of-hwqueue on v5.13, defective"
    assert lines[1] == "deadlock: no runnable actor"
    (verdict,) = [line for line in lines if line.startswith("fails; minimised to")]
    assert "executions" in verdict
    table = lines[lines.index(verdict) + 2 :]
    for actor in ("dev-00", "iommu", "driver-k0", "irq"):
        assert actor in table[0]
    assert "drain_pasid_prq" in "\n".join(table)
    bad = race(*args, "--json")
    assert bad.returncode == Status.FAILED
    document = json.loads(bad.stdout)
    assert document["failure"][0] == lines[1]
    assert isinstance(document["failure_preemptions"], int)
    assert (document["variant"], document["complete"]) == ("defective", False)


def test_prove_reports_the_end_of_the_budget() -> None:
    done = race("prove", "4.1", "--seconds", "0.01")
    assert done.returncode == Status.INCONCLUSIVE, done.stdout + done.stderr
    assert "\ninconclusive, the budget ended: " in done.stdout
    assert "proved: no schedule fails" not in done.stdout
    document = json.loads(race("prove", "4.1", "--seconds", "0.01", "--json").stdout)
    assert (document["complete"], document["complete_up_to_preemptions"]) == (False, None)
    assert document["executions"] > 0
    assert document["outcome"] == "inconclusive"
    wrong = race("prove", "4.1", "--preemptions", "9")
    assert wrong.returncode == Status.USAGE
    assert len(wrong.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("all schedules, reduced", "interrupted: nothing is proved; 0 executions, in "),
        (
            "all schedules of at most 1 delay",
            r"interrupted: no schedule with at most 0 delays fails; [\d,]+ executions, then "
            r"[\d,]+ schedules? of at most 1 delay, in ",
        ),
        (
            "all schedules of at most 0 preemptions",
            r"interrupted: no schedule with at most \d delays? fails; [\d,]+ executions"
            r"(, then [\d,]+ schedules? of at most \d (delays?|preemptions?))+, in ",
        ),
    ],
)
def test_an_interrupted_proof_prints_its_progress(
    at: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupts(line: str) -> None:
        if line == at:
            raise KeyboardInterrupt

    monkeypatch.setattr("iopf.tools.cli.commands.race.prove.progress", interrupts)
    args = ["race", "prove", "discard-partial-unlocked", "--seconds", "1"]
    assert main(args) == Status.INTERRUPTED
    out, err = capsys.readouterr()
    assert re.match(says, out.splitlines()[1])
    assert err.splitlines()[-1] == "iopf: interrupted"
    assert main([*args, "--json"]) == Status.INTERRUPTED
    document = json.loads(capsys.readouterr().out)
    assert document["complete"] is False
    assert (document["executions"] > 0) == (at != "all schedules, reduced")
    assert document["complete_up_to_preemptions"] is None
