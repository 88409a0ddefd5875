"""`iopf race`: list, show, run and replay as their users call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import iopf
from tools.cli.status import Status


def race(*args: str) -> Any:
    return iopf("race", *args)


def test_list_names_every_race_with_what_tools_need() -> None:
    text = race("list")
    assert text.returncode == Status.OK, text.stderr
    entries = json.loads(race("list", "--json").stdout)
    assert len(entries) >= 12
    for entry in entries:
        assert entry["slug"] in text.stdout
        assert {"slug", "source", "generations", "invariant", "actors", "depth"} <= set(entry)


def test_show_tells_the_story() -> None:
    done = race("show", "4.22")
    assert done.returncode == Status.OK, done.stderr
    for part in ("remove-before-drain", "fix", "source", "Fixes: 17fce9d2336d", "unbind d0 t0"):
        assert part in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    assert json.loads(race("show", "4.22", "--json").stdout)["number"] == "4.22"


def test_run_finds_shortens_and_prints() -> None:
    done = race("run", "4.22-remove-before-drain")
    assert done.returncode == Status.FAILED, done.stderr
    assert "use after free: group" in done.stdout
    assert "task:tenant-00" in done.stdout
    assert "memory model sc" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 130


def test_run_of_the_fixed_variant_finds_nothing() -> None:
    done = race("run", "4.22", "--fixed", "--schedules", "500", "--json")
    assert done.returncode == Status.OK, done.stderr
    document = json.loads(done.stdout)
    assert (document["found"], document["schedules"], document["variant"]) == (False, 500, "fixed")


@pytest.mark.parametrize("mode", ["fibers", "processes"])
def test_a_schedule_file_is_played_again(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "uaf.json"
    found = race("run", "4.22", "--mode", mode, "-o", str(file))
    assert found.returncode == Status.FAILED, found.stderr
    for played in ("fibers", "processes"):
        done = race("replay", str(file), "--mode", played)
        assert done.returncode == Status.FAILED, done.stdout + done.stderr
        assert "use after free: group" in done.stdout
        assert "the same trace" in done.stderr


def test_a_schedule_that_does_not_fit_says_where(tmp_path: Path) -> None:
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
    assert "no actor is called 'nobody'" in done.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run", "remove-befor-drain"), "did you mean 'remove-before-drain'?"),
        (("show", "9.9"), "no race is called '9.9'"),
        (("run", "4.22", "--strategy", "luck"), "luck"),
        (("run", "4.22", "--seconds", "0"), "--seconds"),
        (("replay", "/nonexistent/x.json"), "cannot be read"),
        (("repaly",), "did you mean 'replay'?"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(args: tuple[str, ...], says: str) -> None:
    done = race(*args)
    assert done.returncode == Status.USAGE, done.stdout + done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_file_that_is_no_schedule_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for text, says in (("{", "no schedule file"), ('{"format": 1}', "no schedule file")):
        file.write_text(text)
        done = race("replay", str(file))
        assert done.returncode == Status.USAGE
        assert says in done.stderr


def test_minimise_leaves_out_operations_and_preemptions(tmp_path: Path) -> None:
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
    assert (gone.returncode, gone.stdout) == (Status.OK, "it does not fail any more\n")


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


def test_a_defect_is_put_back_into_a_run(tmp_path: Path) -> None:
    done = iopf(
        "run", "quickstart", "--defect", "pasid-ref-leak", "--run-dir", str(tmp_path / "run")
    )
    assert done.returncode == Status.FAILED, done.stdout
    assert "PASIDs are still allocated" in done.stdout
    wrong = iopf("run", "quickstart", "--defect", "pasid-ref-leek")
    assert wrong.returncode == Status.USAGE
    assert "--defect" in wrong.stderr
    assert "did you mean" in wrong.stderr


@pytest.mark.parametrize("mode", ["fibers", "processes"])
def test_kill_goes_through_the_points_of_an_actor(mode: str) -> None:
    args = ("kill", "4.22", "--actor", "dev-00", "--schedules", "1", "--mode", mode)
    done = race(*args)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    assert "0 failures" in done.stdout
    document = json.loads(race(*args, "--json").stdout)
    assert document["killed"][0]["points"] > 10
    wrong = race("kill", "4.22", "--actor", "dev-0")
    assert wrong.returncode == Status.USAGE
    assert "did you mean 'dev-00'?" in wrong.stderr


def test_prove_says_what_is_proved() -> None:
    done = race("prove", "4.1", "--delays", "1")
    assert done.returncode == Status.OK, done.stderr
    assert "proved: no schedule with at most 1 delays fails" in done.stdout
    ended = race("prove", "4.1", "--delays", "6", "--seconds", "0.5")
    assert ended.returncode == Status.OK
    assert "the budget ended: no schedule with at most" in ended.stdout
    bad = race("prove", "4.1", "--defective", "--json")
    assert bad.returncode == Status.FAILED
    document = json.loads(bad.stdout)
    assert document["failure"][0].startswith("deadlock")
    assert document["failure_delays"] == 1


@pytest.mark.parametrize("slug", ["pro-cleared-unconditionally", "pasid-ref-leak"])
def test_a_schedule_file_has_what_else_the_system_was_built_with(tmp_path: Path, slug: str) -> None:
    """A small queue, and the objects that there should be at the end."""
    file, small = tmp_path / "s.json", tmp_path / "small.json"
    assert race("run", slug, "-o", str(file)).returncode == Status.FAILED
    done = race("replay", str(file))
    assert done.returncode == Status.FAILED, done.stdout + done.stderr
    assert "the same trace" in done.stderr
    assert race("minimise", str(file), "-o", str(small)).returncode == Status.FAILED
    assert race("replay", str(small)).returncode == Status.FAILED
