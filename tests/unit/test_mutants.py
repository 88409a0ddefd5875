# SPDX-License-Identifier: MIT
"""The rules of the mutants: they fit the sources, name checks that exist, and are told truthfully."""

from __future__ import annotations

from pathlib import Path

import pytest
from iopf.emulator.races.catalogue import find
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.tools.mutate.checks import CheckError, Seen, _new_failure, command_of
from iopf.tools.mutate.mutants import Mutant, MutantError, mutants
from iopf.tools.mutate.run import Result, report

ROOT = Path(__file__).parent.parent.parent
ALL = mutants()
LEAST = 60


def test_there_are_enough() -> None:
    assert len(ALL) >= LEAST


@pytest.mark.parametrize("mutant", ALL, ids=[each.name for each in ALL])
def test_a_rule_fits_the_sources_and_its_check_exists(mutant: Mutant, tmp_path: Path) -> None:
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True)
    text = (ROOT / mutant.file).read_text()
    copy.write_text(text)
    mutant.apply(tmp_path)
    assert copy.read_text() != text
    kind, _, rest = mutant.seen_by.partition(" ")
    assert command_of(mutant.seen_by)
    if kind == "tests":
        assert all((ROOT / name).exists() for name in rest.split())
    if kind in ("race", "prove"):
        assert find(rest) is not None
    if kind in ("fuzz", "stress") and rest:
        assert rest in GENERATIONS


def test_a_rule_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one one")
    for before in ("one", "two"):
        with pytest.raises(MutantError, match="expected once"):
            Mutant("m", "s", "a.py", before, "", "fuzz").apply(tmp_path)
    with pytest.raises(MutantError, match=r"no file b\.py"):
        Mutant("m", "s", "b.py", "one", "", "fuzz").apply(tmp_path)
    double = tmp_path / "mutants.toml"
    rule = '[[mutant]]\nname="m"\nstory="s"\nfile="f"\nbefore="a"\nafter="b"\nseen_by="fuzz"\n'
    double.write_text(rule * 2)
    with pytest.raises(MutantError, match="two mutants"):
        mutants(double)
    double.write_text(rule.replace('"b"', '"a"'))
    with pytest.raises(MutantError, match="equal"):
        mutants(double)
    with pytest.raises(CheckError):
        command_of("prayer")


def test_a_survivor_without_explanation_fails_the_report() -> None:
    caught = Result(ALL[0], [Seen("fuzz", 3.0, "NEW: a leak")])
    missed = Result(Mutant("m", "s", "f", "a", "b", "fuzz"), [Seen("fuzz", 60.0, "")])
    explained = Result(Mutant("n", "s", "f", "a", "b", "fuzz", "equal"), [Seen("fuzz", 60.0, "")])
    assert report([caught], 1.0)[1]
    assert not report([caught, missed], 1.0)[1]
    text, good = report([caught, explained], 1.0)
    assert good
    assert "SURVIVED  n: equal" in text
    assert "1 of 2 mutants seen (50%" in text
    assert not report([Result(ALL[0], error="does not compile")], 1.0)[1]


def test_a_fuzz_that_does_not_end_has_seen_only_what_it_told() -> None:
    assert _new_failure(b"12 programs\nnew: a leak\n") == "new: a leak"
    assert _new_failure("known-slug: use after free\n") == ""
    assert _new_failure(None) == ""
