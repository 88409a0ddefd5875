# SPDX-License-Identifier: MIT
"""The status of `iopf race bench`: a race that is not found within a short budget is a number, not a failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from iopf.emulator.races.catalogue import Race
from iopf.tools.cli.main import main
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.play.system import Lab
from iopf.tools.status import Status

from tests.support.running import iopf

HARD = "second-bind-refused"  # shows as a failed operation, which ordinary runs do not count


def test_a_missed_race_is_listed_with_status_0() -> None:
    args = ("race", "bench", HARD, "--trials", "1", "--seconds", "0.001", "--strategy", "native")
    done = iopf(*args)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    assert f"not found   by native within 0.001 s: {HARD} (0/1)" in done.stdout
    (strategy,) = json.loads(iopf(*args, "--json").stdout)["strategies"]
    assert strategy["races_missed"] == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--quick", "--trials", "2"), "--trials cannot be combined with --quick"),
        (("--quick", "--seconds", "2"), "--seconds cannot be combined with --quick"),
        (("--rates", "--strategy", "pct"), "--strategy cannot be combined with --rates"),
    ],
)
def test_conflicting_options_are_refused(args: tuple[str, ...], says: str) -> None:
    done = iopf("race", "bench", "4.22", *args)
    assert done.returncode == Status.USAGE, done.stdout + done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def interrupted_at(slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lab(race: Race, *, defective: bool) -> Lab:
        if race.slug == slug:
            raise KeyboardInterrupt
        return lab_of(race, defective=defective)

    monkeypatch.setattr("iopf.tools.lab.search.bench.lab_of", lab)


def test_an_interrupted_bench_prints_the_measured_races(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted_at(HARD, monkeypatch)
    file = tmp_path / "bench.json"
    short = ("--trials", "1", "--seconds", "0.1", "--strategy", "pct", "--strategy", "random")
    args = ["race", "bench", "4.22", HARD, "4.1", *short]
    assert main([*args, "-o", str(file)]) == Status.INTERRUPTED
    out, err = capsys.readouterr()
    assert "remove-before-drain" in out
    assert HARD not in out
    assert "interrupted after 2 of 6 searches" in err.splitlines()
    assert err.splitlines()[-1] == "iopf: interrupted"
    assert main([*args, "--json"]) == Status.INTERRUPTED
    for text in (file.read_text(), capsys.readouterr().out):
        document = json.loads(text)
        assert document["complete"] is False
        assert [each["slug"] for each in document["races"]] == ["remove-before-drain"]


def test_a_bench_interrupted_at_its_start_has_no_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted_at(HARD, monkeypatch)
    assert main(["race", "bench", HARD, "--quick"]) == Status.INTERRUPTED
    out, err = capsys.readouterr()
    assert out == "nothing measured\n"
    assert "interrupted after 0 of 5 searches" in err
    assert main(["race", "bench", HARD, "--quick", "--json"]) == Status.INTERRUPTED
    assert json.loads(capsys.readouterr().out)["races"] == []
