# SPDX-License-Identifier: MIT
"""`iopf race`: list, show and run; invalid input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from iopf.tools.status import Status

from tests.support.race import assert_refused, race, text_and_document


def test_list_names_every_race_with_what_tools_need() -> None:
    text = race("list")
    assert text.returncode == Status.OK, text.stderr
    entries = json.loads(race("list", "--json").stdout)
    assert len(entries) >= 12
    for entry in entries:
        assert entry["slug"] in text.stdout
        assert {"slug", "source", "generations", "invariant", "actors", "depth"} <= set(entry)


def test_a_race_without_a_number_is_selected_by_slug() -> None:
    lines = race("list").stdout.splitlines()
    assert {line.split()[1] for line in lines if line.startswith("  - ")} == {
        each["slug"]
        for each in json.loads(race("list", "--json").stdout)
        if each["number"] == "new"
    }
    assert not any(line.startswith("  new") for line in lines)
    assert race("show", "ppr-not-cleared").stdout.startswith("ppr-not-cleared: ")


def test_show_prints_the_story() -> None:
    done = race("show", "4.22")
    assert done.returncode == Status.OK, done.stderr
    for part in ("remove-before-drain", "fix", "source", "Fixes: 17fce9d2336d", "unbind d0 t0"):
        assert part in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    assert json.loads(race("show", "4.22", "--json").stdout)["number"] == "4.22"


def test_run_finds_minimises_and_prints() -> None:
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


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run", "remove-befor-drain"), "did you mean 'remove-before-drain'?"),
        (("show", "9.9"), "no race '9.9'"),
        (("run", "4.22", "--strategy", "luck"), "luck"),
        (("run", "4.22", "--seconds", "0"), "--seconds"),
        (("replay", "/nonexistent/x.json"), "cannot read"),
        (("repaly",), "did you mean 'replay'?"),
        (("fuzz", "--kernel", "v1.0"), "v1.0 has no I/O page fault path"),
        (("fuzz", "--programs", "0"), "--programs"),
        (("fuzz", "--memory", "arm"), "'arm'"),
        (("fuzz", "--defect", "remove-befor-drain"), "did you mean 'remove-before-drain'?"),
        (("run", "4.22", "--memory", "arm"), "is not one of 'sc', 'tso'"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(args: tuple[str, ...], says: str) -> None:
    assert_refused(race(*args), says)


@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_run_prints_the_explored_and_the_needed_memory_model(tmp_path: Path, memory: str) -> None:
    """The order of steps alone makes this race fail, so the saved schedule has no delayed store."""
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
    assert document["failure"][0].startswith(("step limit", "deadlock"))
    assert (document["memory"], document["needs"]) == ("tso", "sc")


def test_a_complete_walk_prints_that_all_schedules_were_explored() -> None:
    args = ("run", "bad-setup-silent", "--fixed", "--strategy", "dpor", "--seconds", "120")
    text, document = text_and_document(*args)
    assert "per second; all schedules explored; memory model sc" in text
    assert document["complete"] is True
    assert document["timeouts_only_at_rest"] is False
    text, document = text_and_document(*args, "--schedules", "100")
    assert "not found in 100 schedules" in text
    assert "all schedules explored" not in text
    assert document["complete"] is False
