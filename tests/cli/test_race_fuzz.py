# SPDX-License-Identifier: MIT
"""`iopf race fuzz`: random programs."""

from __future__ import annotations

import json
from pathlib import Path

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
