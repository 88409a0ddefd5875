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
    assert "explored tso, needs sc" in done.stdout
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


@pytest.mark.parametrize("mode", ["fibers", "processes"])
def test_a_stop_is_no_death(mode: str) -> None:
    args = ("kill", "4.22", "--signal", "stop", "--schedules", "1", "--mode", mode)
    done = race(*args)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    assert "stops in" in done.stdout
    document = json.loads(race(*args, "--json").stdout)
    assert document["signal"] == "stop"
    assert document["points"] == sum(each["points"] for each in document["stopped"]) > 100
    assert document["failures"] == 0


def test_pairs_are_drawn_and_killed_one_after_the_other() -> None:
    args = ("kill", "4.22", "--pairs", "4", "--actor", "dev-00", "--schedules", "2")
    done = race(*args)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    assert done.stdout.startswith("4 pairs of points drawn for every two actors, seed 0")
    document = json.loads(race(*args, "--json").stdout)
    assert {each["first"] for each in document["killed"]} == {"dev-00"}
    assert len({each["second"] for each in document["killed"]}) == 6
    assert 4 < document["points"] <= 24
    again = json.loads(race(*args, "--json").stdout)
    assert again["killed"] == document["killed"]


def test_kill_takes_a_scenario(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('schema = 1\n[[program]]\nops = ["map t0 4", "bind d0 t0", "unbind d0 t0"]\n')
    for name in (str(file), "one-request"):
        done = race("kill", name, "--schedules", "1", "--json")
        assert done.returncode == Status.OK, done.stdout + done.stderr
        document = json.loads(done.stdout)
        assert document["system"] == name
        points = {each["role"]: each["points"] for each in document["killed"]}
        assert points["tenant"] > 5
        assert points["iommu"] > 5


@pytest.mark.parametrize("mode", ["fibers", "processes"])
def test_a_failure_after_a_stop_is_status_1(tmp_path: Path, mode: str) -> None:
    """The device goes 5 ms after the unbind, unless whoever unbinds stands still."""
    file = tmp_path / "late.toml"
    file.write_text(
        "schema = 1\n"
        '[[program]]\nops = ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"]\n'
        '[[program]]\nops = ["k0: start", "k0: pause 5ms", "remove d0"]\n'
    )
    args = ("kill", str(file), "--schedules", "1", "--actor", "tenant-00", "--mode", mode)
    assert race(*args).returncode == Status.OK
    late = race(*args, "--signal", "stop")
    assert late.returncode == Status.FAILED, late.stdout + late.stderr
    assert "'unbind d0 t0' failed" in late.stdout
    assert race(*args, "--signal", "stop", "--json").returncode == Status.FAILED


@pytest.mark.parametrize(
    ("args", "says", "status"),
    [
        (("life-cycel",), "did you mean 'life-cycle'?", Status.USAGE),
        (("zzz",), "no race and no scenario is called 'zzz'", Status.USAGE),
        (("no/such.toml",), "cannot read the scenario", Status.USAGE),
        (("4.22", "--pairs", "3", "--signal", "stop"), "--pairs kills", Status.USAGE),
        (("4.22", "--pairs", "0"), "--pairs", Status.USAGE),
        (("4.22", "--signal", "hup"), "--signal", Status.USAGE),
    ],
)
def test_kill_says_what_is_wrong_in_one_line(args: tuple[str, ...], says: str, status: int) -> None:
    done = race("kill", *args)
    assert done.returncode == status, done.stdout + done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_kill_refuses_what_cannot_be_made_small(tmp_path: Path) -> None:
    trace, many = tmp_path / "trace.toml", tmp_path / "many.toml"
    trace.write_text(
        'schema = 1\n[trace]\nfiles = ["sqlite-index"]\n'
        '[[device]]\nworkload = { pattern = "replay", groups = 0 }\n'
    )
    many.write_text(
        'schema = 1\n[[tenant]]\ncount = 16\n[[program]]\nops = ["map t0 4", "bind d0 t0"]\n'
    )
    for file, says in ((trace, "replays a trace"), (many, "room for 31")):
        done = race("kill", str(file))
        assert done.returncode == Status.UNSUPPORTED, done.stdout + done.stderr
        assert says in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_prove_says_what_is_proved() -> None:
    ended = race("prove", "4.17", "--seconds", "6", "--preemptions", "0")
    assert ended.returncode == Status.OK, ended.stderr
    assert "the budget ended: no schedule with at most 0 preemptions fails" in ended.stdout
    bad = race("prove", "4.1", "--defective", "--json")
    assert bad.returncode == Status.FAILED
    document = json.loads(bad.stdout)
    assert document["failure"][0].startswith("deadlock")
    assert document["failure_preemptions"] == 0


def test_prove_plays_every_schedule() -> None:
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


def test_prove_shows_the_schedule_that_fails() -> None:
    args = ("prove", "4.1", "--defective", "--seconds", "10")
    done = race(*args)
    assert done.returncode == Status.FAILED, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "4.1 flush-holds-lock-of-hwqueue on v5.13, defective"
    assert lines[1] == "deadlock: nobody can go on"
    (verdict,) = [line for line in lines if line.startswith("fails; shortened to")]
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


def test_prove_says_when_the_budget_has_ended() -> None:
    done = race("prove", "4.1", "--seconds", "0.01")
    assert done.returncode == Status.OK, done.stdout + done.stderr
    assert "the budget ended: nothing is proved" in done.stdout
    assert "proved: no schedule fails" not in done.stdout
    document = json.loads(race("prove", "4.1", "--seconds", "0.01", "--json").stdout)
    assert (document["complete"], document["complete_up_to_preemptions"]) == (False, None)
    assert document["executions"] > 0
    wrong = race("prove", "4.1", "--preemptions", "9")
    assert wrong.returncode == Status.USAGE
    assert len(wrong.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_run_says_what_it_has_explored_and_what_is_needed(tmp_path: Path, memory: str) -> None:
    """The order of steps alone makes this race fail, so the schedule that is kept has no delayed store."""
    file = tmp_path / "s.json"
    given = () if memory == "tso" else ("--memory", memory)
    done = race("run", "4.22", "--json", "-o", str(file), *given)
    assert done.returncode == Status.FAILED, done.stderr
    document = json.loads(done.stdout)
    assert (document["memory"], document["needs"]) == (memory, "sc")
    kept = json.loads(file.read_text())
    assert kept["memory"] == "sc"
    assert not any(actor.endswith("stores") for actor, _ in kept["segments"])
    for mode in ("fibers", "processes"):
        again = race("replay", str(file), "--mode", mode, "--json")
        assert again.returncode == Status.FAILED, again.stdout + again.stderr
        played = json.loads(again.stdout)
        assert played["same_trace"] is True
        assert played["failure"][0].startswith("use after free: group")
    fixed = race("run", "4.22", "--fixed", "--schedules", "200", "--json", *given)
    assert (fixed.returncode, json.loads(fixed.stdout)["needs"]) == (Status.OK, None)


@pytest.mark.parametrize("slug", ["read-loop-on-efault", "hang-on-dead-device"])
def test_a_schedule_that_does_not_end_needs_no_delayed_stores_either(slug: str) -> None:
    document = json.loads(race("run", slug, "--json").stdout)
    assert document["failure"][0].startswith(("the bound on steps", "deadlock"))
    assert (document["memory"], document["needs"]) == ("tso", "sc")


def test_fuzz_tells_what_it_has_played(tmp_path: Path) -> None:
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
    assert text.stdout.endswith("nothing failed\n")


def test_fuzz_finds_a_defect_and_keeps_its_schedule(tmp_path: Path) -> None:
    args = ("--defect", "remove-before-drain", "--programs", "8", "-o", str(tmp_path))
    done = race("fuzz", *args, "--json")
    assert done.returncode == Status.FAILED, done.stdout + done.stderr
    findings = json.loads(done.stdout)["findings"]
    assert findings
    for finding in findings:
        assert finding["known"] is None
        assert f"new: {finding['what'][0]}" in done.stderr
        assert sum(map(len, finding["programs"])) <= 6
        assert finding["preemptions"] >= 0
        again = race("replay", finding["file"])
        assert again.returncode == Status.FAILED
        assert "the same trace" in again.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("fuzz", "--kernel", "v1.0"), "'v1.0'"),
        (("fuzz", "--programs", "0"), "--programs"),
        (("fuzz", "--memory", "arm"), "'arm'"),
        (("fuzz", "--defect", "remove-befor-drain"), "did you mean 'remove-before-drain'?"),
        (("run", "4.22", "--memory", "arm"), "is not one of 'sc', 'tso'"),
    ],
)
def test_wrong_options_are_one_line_and_status_2(args: tuple[str, ...], says: str) -> None:
    done = race(*args)
    assert done.returncode == Status.USAGE, done.stdout + done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


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


def test_rates_are_put_beside_their_goals(tmp_path: Path) -> None:
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
        assert figure["value"] > 0 or figure["unit"] == "%"
    assert len(figures["catalogue, fibers"]["samples"]) == 2
    wrong = race("bench", "--rates", "--trials", "3")
    assert wrong.returncode == Status.USAGE
    assert "--trials does not go with --rates" in wrong.stderr


def test_bench_compares_with_runs_without_control() -> None:
    """A leak of every run is found by all; the fixed variant runs clean."""
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
