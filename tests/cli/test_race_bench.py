# SPDX-License-Identifier: MIT
"""`iopf race bench`: efficiency of the search."""

from __future__ import annotations

import json
from pathlib import Path

from iopf.tools.status import Status

from tests.support.race import race


def test_bench_measures_and_checks(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = race("bench", "4.22", "4.1", "--quick", "-o", str(out))
    assert done.returncode == Status.OK, done.stdout + done.stderr
    assert "portfolio" in done.stdout
    document = json.loads(out.read_text())
    assert [each["slug"] for each in document["races"]] == [
        "remove-before-drain",
        "flush-holds-lock-of-hwqueue",
    ]
    for each in document["races"]:
        assert each["false_alarms"] == 0
        assert each["replays_same"] == each["replays"] > 0
        assert each["searches"][0]["found"] == 3


def test_bench_compares_with_uncontrolled_runs() -> None:
    """A leak of every run is found by all strategies; the fixed variant has no failure."""
    chosen = ("portfolio", "native", "noise")
    options = [part for name in chosen for part in ("--strategy", name)]
    done = race("bench", "pasid-ref-leak", "--quick", "--json", *options)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert [each["strategy"] for each in document["strategies"]] == list(chosen)
    for each in document["strategies"]:
        assert (each["found"], each["within_s"]["60"]) == (3, 3)
    (measured,) = document["races"]
    assert measured["fixed_runs"] == 10
    assert measured["run_alarms"] == 0
    assert measured["searches"][1]["times_ms"][0] > 1


def test_rates_are_printed_with_their_goals(tmp_path: Path) -> None:
    out = tmp_path / "rates.json"
    done = race("bench", "4.22", "4.1", "--rates", "--quick", "-o", str(out))
    assert done.returncode == Status.OK, done.stdout + done.stderr
    document = json.loads(out.read_text())
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert len(figures) == 10
    assert document["cores"] > 0
    assert "load average" in done.stdout
    for name, figure in figures.items():
        assert name in done.stdout
        assert figure["met"] in ((None,) if figure["goal"] is None else (True, False))
        # The cost of a point is the difference of two measured times, and may be below zero under load.
        assert figure["value"] > 0 or figure["unit"] in ("%", "ns")
    assert len(figures["catalogue, fibers"]["samples"]) == 2
    wrong = race("bench", "--rates", "--trials", "3")
    assert wrong.returncode == Status.USAGE
    assert "--trials cannot be combined with --rates" in wrong.stderr
