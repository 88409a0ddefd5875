# SPDX-License-Identifier: MIT
"""Schedule files: `iopf race run -o`, `replay` and `minimise`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from iopf.tools.status import Status

from tests.support.race import race


@pytest.mark.parametrize("mode", ["fibers", "processes"])
def test_a_schedule_file_is_replayed(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "uaf.json"
    found = race("run", "4.22", "--mode", mode, "-o", str(file))
    assert found.returncode == Status.FAILED, found.stderr
    for played in ("fibers", "processes"):
        done = race("replay", str(file), "--mode", played)
        assert done.returncode == Status.FAILED, done.stdout + done.stderr
        assert "use after free: group" in done.stdout
        assert "trace identical" in done.stderr


def test_a_diverging_schedule_names_the_step(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    race("run", "4.22", "-o", str(file))
    document = json.loads(file.read_text())
    document["segments"].insert(3, ["handler-00", 500])
    file.write_text(json.dumps(document))
    done = race("replay", str(file))
    assert done.returncode == Status.UNTRUSTED
    assert "diverged: handler-00 cannot make step" in done.stdout
    document["segments"][0][0] = "nobody"
    file.write_text(json.dumps(document))
    done = race("replay", str(file))
    assert done.returncode == Status.USAGE
    assert "no actor 'nobody'" in done.stderr


def test_a_file_without_a_schedule_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for text, says in (("{", "not a schedule file"), ('{"format": 1}', "not a schedule file")):
        file.write_text(text)
        done = race("replay", str(file))
        assert done.returncode == Status.USAGE
        assert says in done.stderr


def test_minimise_removes_operations_and_preemptions(tmp_path: Path) -> None:
    file, small = tmp_path / "uaf.json", tmp_path / "small.json"
    race("run", "4.22", "-o", str(file))
    document = json.loads(file.read_text())
    document["programs"][0].insert(1, "touch t0 1")
    file.write_text(json.dumps(document))
    done = race("minimise", str(file), "-o", str(small))
    assert done.returncode == Status.FAILED, done.stdout + done.stderr
    assert "without 'touch t0 1'" in done.stderr
    made = json.loads(small.read_text())
    assert "touch t0 1" not in made["programs"][0]
    assert race("replay", str(small)).returncode == Status.FAILED
    document["scenario"]["kernel"]["defects"] = []
    file.write_text(json.dumps(document))
    gone = race("minimise", str(file))
    assert (gone.returncode, gone.stdout) == (Status.OK, "it no longer fails\n")


@pytest.mark.parametrize("slug", ["pro-cleared-unconditionally", "pasid-ref-leak"])
def test_a_schedule_file_has_the_other_build_arguments(tmp_path: Path, slug: str) -> None:
    """A small queue, and the expected live objects at the end."""
    file, small = tmp_path / "s.json", tmp_path / "small.json"
    assert race("run", slug, "-o", str(file)).returncode == Status.FAILED
    done = race("replay", str(file))
    assert done.returncode == Status.FAILED, done.stdout + done.stderr
    assert "trace identical" in done.stderr
    assert race("minimise", str(file), "-o", str(small)).returncode == Status.FAILED
    assert race("replay", str(small)).returncode == Status.FAILED


@pytest.mark.parametrize("slug", ["handle-sharing-lost", "second-bind-refused"])
def test_a_minimised_failure_is_the_failure_that_was_found(tmp_path: Path, slug: str) -> None:
    """An operation fails. A failure of another operation, or of another kind, is not a smaller form: it needs no defect."""
    file, small = tmp_path / "found.json", tmp_path / "small.json"
    assert race("run", slug, "-o", str(file)).returncode == Status.FAILED
    assert race("minimise", str(file), "-o", str(small)).returncode == Status.FAILED
    ends = [json.loads(each.read_text())["failure"][0].partition("'")[2] for each in (file, small)]
    assert ends[0].split(";")[0] == ends[1]
    document = json.loads(small.read_text())
    document["scenario"]["kernel"]["defects"] = []
    small.write_text(json.dumps(document))
    assert race("minimise", str(small)).returncode == Status.OK


def test_a_replay_by_constraints_reports_a_different_trace(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    race("run", "4.22", "-o", str(file))
    whole = json.loads(race("replay", str(file), "--json").stdout)
    assert (whole["same_trace"], whole["constraints_broken"]) == (True, None)
    done = race("replay", str(file), "--constraints", "--json")
    assert done.returncode == Status.FAILED
    ordered = json.loads(done.stdout)
    assert (ordered["same_trace"], ordered["constraints_broken"]) == (False, 0)
    assert ordered["failure"]
