# SPDX-License-Identifier: MIT
"""The pytest plugin in a project that uses it, and in one that does not."""

from __future__ import annotations

import json
import re
import textwrap
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from iopf.emulator.races.catalogue import catalogue
from iopf.tools.status import Status

from tests.support.plugin import FAILING, failures, outcomes, run
from tests.support.running import iopf


@pytest.mark.parametrize("ci", [False, True], ids=["desk", "ci"])
def test_a_race_fails_with_its_schedule_a_file_and_properties(tmp_path: Path, ci: bool) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    done = run(tmp_path, "-q", "--junitxml=junit.xml", ci=ci)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "iopf race replay .iopf-schedules/test_it.py-test_unbind.json" in done.stdout
    assert "Traceback" not in done.stdout
    (schedule,) = re.findall(r"schedule (\d+) of seed 4;", done.stdout)
    once = (
        "    send d0 t0 pages=1 group=a try\n",
        "    last step: ",
        "\nminimal ordering constraints:\n",
    )
    assert [done.stdout.count(text) for text in once] == [1, 1, 1]
    assert re.search(r"\n    dev-00 .* task:tenant-00\n", done.stdout)
    (file,) = (tmp_path / ".iopf-schedules").iterdir()
    written = json.loads(file.read_text())
    assert written["failure"]
    for line in written["failure"] + [f"    {each}" for each in written["constraints"]]:
        assert f"\n{line}\n" in done.stdout
    properties = {
        p.get("name"): p.get("value") for p in ET.parse(tmp_path / "junit.xml").iter("property")
    }
    assert properties["iopf_seed"] == "4"
    assert properties["iopf_schedule_file"] == f".iopf-schedules/{file.name}"
    assert properties["iopf_schedules"] == schedule


def test_the_regression_test_of_the_readme_as_printed(tmp_path: Path) -> None:
    """It passes; with the argument named below it, it fails with the use after free shown above it."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (code,) = re.findall(r"^    import pytest\n(?:    .*\n|\n)+", readme, re.MULTILINE)
    (defect,) = re.findall(r"^ +kernel=.*remove-before-drain.*\n", readme, re.MULTILINE)
    test = textwrap.dedent(code).rstrip()
    (tmp_path / "test_it.py").write_text(test + "\n")
    passes = run(tmp_path, "-q", "-rP")
    assert passes.returncode == 0, passes.stdout
    assert "\n3,000 schedules of seed 1 in " in passes.stdout
    assert test.endswith("\n    )")
    (tmp_path / "test_it.py").write_text(test[:-1] + textwrap.dedent(defect) + ")\n")
    (text,) = failures(run(tmp_path, "-q"))
    first = text.splitlines()[0]
    assert first.startswith("use after free: ")
    assert f"    {first}\n" in readme
    (file,) = (tmp_path / ".iopf-schedules").iterdir()
    assert iopf("race", "replay", str(file)).returncode == Status.FAILED


def test_a_long_program_is_cut_in_the_report(tmp_path: Path) -> None:
    lines = FAILING.replace(
        '"map t0 4",', '"map t0 4", *[f"map t0 1 at={8 + n}" for n in range(50)],'
    )
    (tmp_path / "test_it.py").write_text(lines)
    (text,) = failures(run(tmp_path, "-q"))
    assert "\n    map t0 1 at=46\n    ... 14 more lines\n\n    wait-bound" in text
    (file,) = (tmp_path / ".iopf-schedules").iterdir()
    assert len(json.loads(file.read_text())["programs"][0]) == 54


DEADLOCK = """
def test_await(iopf_race):
    iopf_race(
        ["map t0 4", "bind d0 t0", "t0: start"],
        ["wait-bound d0 t0", "hold workers", "d0: start", "send d0 t0 pages=1", "await d0"],
    )
"""


def test_a_deadlock_names_the_blocked_actors(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(DEADLOCK)
    done = run(tmp_path, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(
        r"\ndeadlock: no runnable actor\ndev-00 blocked in dev_wait/bell_sleep\nschedule 1 of seed 1; ",
        done.stdout,
    )


REPLAYS = """
import pytest
from iopf.tools.lab.play.processes import ActorProcesses

FILE = ".iopf-schedules/test_it.py-test_unbind.json"
FIXED = ".iopf-schedules/fixed.json"

def test_still_fails(iopf_race):
    iopf_race.replay(FILE)

def test_fails_as_said(iopf_race):
    text = iopf_race.replay(FILE, fails=True)
    assert text.startswith(("use after free", "invalid pointer", "bad word"))

@pytest.mark.race(mode="processes")
def test_fails_by_processes(iopf_race, monkeypatch):
    started, start = [], ActorProcesses._start
    monkeypatch.setattr(ActorProcesses, "_start", lambda self, slot: (start(self, slot), started.append(slot)))
    iopf_race.replay(FILE, fails=True)
    assert len(started) > 3

def test_is_mended(iopf_race):
    assert iopf_race.replay(FIXED) == ""

def test_fails_no_more(iopf_race):
    iopf_race.replay(FIXED, fails=True)
"""


def test_the_file_of_a_failure_can_be_replayed_by_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    run(tmp_path, "-q")
    file = tmp_path / ".iopf-schedules" / "test_it.py-test_unbind.json"
    document = json.loads(file.read_text())
    (failure,) = document["failure"]
    document["segments"] = [["dev-00", 1]]
    (file.parent / "fixed.json").write_text(json.dumps(document))
    (tmp_path / "test_it.py").write_text(REPLAYS)
    done = run(tmp_path, "-q", "-rpf")
    assert done.returncode == 1, done.stdout
    assert outcomes(done) == {
        "still_fails": "FAILED",
        "fails_as_said": "PASSED",
        "fails_by_processes": "PASSED",
        "is_mended": "PASSED",
        "fails_no_more": "FAILED",
    }
    told = done.stdout.split("_ test_still_fails _")[1].split("_ test_fails_no_more _")[0]
    assert f"_\n{failure}\niopf race replay .iopf-schedules/{file.name}\n" in told
    assert "    last step: " in told
    assert "\nminimal ordering constraints:\n" in told
    assert "\n.iopf-schedules/fixed.json: no longer fails\n" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_failure_is_reported_when_no_file_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    (tmp_path / "taken").touch()
    for directory, named, why in (
        ("taken", "taken", "File exists"),
        ("taken/below", "taken/below", "Not a directory"),
    ):
        (text,) = failures(run(tmp_path, "-q", f"--iopf-schedules={directory}"))
        assert text.startswith(("use after free", "invalid pointer", "bad word"))
        assert re.search(rf"\nschedule \d+ of seed 4; not written, {named}: {why}\n", text)
        assert "\nminimal ordering constraints:\n" in text
        assert "Traceback" not in text


@pytest.mark.parametrize("fails", [False, True])
def test_an_invalid_file_is_one_line(tmp_path: Path, fails: bool) -> None:
    (tmp_path / "no.json").write_text("{}")
    names = ["nosuch.json", "no.json", None, 5]
    (tmp_path / "test_it.py").write_text(
        "".join(
            f"def test_{number}(iopf_race):\n    iopf_race.replay({name!r}, fails={fails})\n"
            for number, name in enumerate(names)
        )
    )
    none, no_schedule, *others = failures(run(tmp_path, "-q"))
    assert none == f"nosuch.json: no such schedule file in {tmp_path}"
    assert re.fullmatch(r"no\.json: not a schedule file: .*", no_schedule)
    assert others == [f"replay({name}): expected the name of a schedule file" for name in (None, 5)]


def test_a_file_passes_with_fixed_code_even_if_it_diverges(tmp_path: Path) -> None:
    """Every race of the catalogue whose schedule diverges in the fixed kernel: the replay continues as far as possible."""
    diverged = 0
    for race in list(catalogue().values())[:12]:
        file = tmp_path / f"{race.slug}.json"
        iopf("race", "run", race.slug, "--seconds", "60", "-o", str(file))
        document = json.loads(file.read_text())
        if race.fixed is not None:
            continue
        document["scenario"]["kernel"]["defects"] = []
        file.write_text(json.dumps(document))
        diverged += iopf("race", "replay", str(file)).returncode == Status.UNTRUSTED
        (tmp_path / f"test_{race.slug.replace('-', '_')}.py").write_text(
            f"def test_it(iopf_race):\n    iopf_race.replay('{file.name}')\n"
        )
    assert diverged > 0
    done = run(tmp_path, "-q")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("memory", [None, "sc", "tso"])
def test_the_marker_selects_the_memory_model(tmp_path: Path, memory: str | None) -> None:
    """The race needs no delayed store, so its file says `sc` for either model."""
    marker = "" if memory is None else f", memory={memory!r}"
    (tmp_path / "test_it.py").write_text(FAILING.replace("seed=4", f"seed=4{marker}"))
    done = run(tmp_path, "-q", "--junitxml=junit.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    properties = {
        p.get("name"): p.get("value") for p in ET.parse(tmp_path / "junit.xml").iter("property")
    }
    assert properties["iopf_memory"] == (memory or "tso")
    (file,) = (tmp_path / ".iopf-schedules").iterdir()
    assert json.loads(file.read_text())["memory"] == "sc"


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("schedules=0", "race(schedules=0): expected 1 to 2**62"),
        ("depth=99", "race(depth=99): expected 1 to 15"),
        ("memory='arm'", "race(memory='arm'): expected 'sc' or 'tso'"),
        ("shedules=3", "race(): no argument 'shedules'; expected one of schedules, executions,"),
        ("executions=0", "race(executions=0): expected 1 to 2**62"),
        ("schedules='many'", "race(schedules='many'): expected 1 to 2**62"),
        ("schedules=2**70", f"race(schedules={2**70}): expected 1 to 2**62"),
        ("seconds='long'", "race(seconds='long'): expected more than 0"),
        ("seed=-1", "race(seed=-1): expected 0 to 2**63"),
        ("mode='threads'", "race(mode='threads'): expected 'fibers' or 'processes'"),
        ("3000", "race(): use keyword arguments, like race(schedules=1000)"),
    ],
)
def test_an_invalid_marker_is_one_line(tmp_path: Path, marker: str, says: str) -> None:
    (tmp_path / "test_it.py").write_text(FAILING.replace("schedules=3000, seed=4", marker))
    (text,) = failures(run(tmp_path, "-q"))
    assert text.startswith(says)
    assert "\n" not in text


GOOD = 'UNBIND = ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"]\n'


MISTAKES = [
    ("['mapp t0 4']", "program 0, 'mapp t0 4': 'mapp' is not an operation; did you mean 'map'?"),
    (
        "UNBIND, ['d0: start', 'send d9 t0 pages=1']",
        "program 1, 'send d9 t0 pages=1': no device 'd9'; expected d0",
    ),
    ("['map t9 4']", "program 0, 'map t9 4': no tenant 't9'; expected t0"),
    ("UNBIND, kernle={}", "kernle: unknown section; did you mean 'kernel'?"),
    ("UNBIND, kernel={'a': 1}", "kernel.a: unknown key"),
    ("UNBIND, kernel={'defects': ['nope']}", "kernel.defects[0]: no defect 'nope'"),
    ("UNBIND, kernel=3", "kernel: expected a table, got 3"),
    ("UNBIND, device={}", "device={}: expected a list of tables, like device=[{...}]"),
    ("UNBIND, live={'no': 1}", "live: no pool 'no'; expected one of fault, "),
    ("UNBIND, live=3", "live=3: expected numbers of objects by pool"),
    ("UNBIND, queue_records=3", "queue_records=3: expected 0 or a power of two"),
    ("UNBIND, memory='sc'", "memory is not a table of a scenario; write @pytest.mark.race(memory"),
    ("UNBIND, seed=3", "seed is not a table of a scenario; write @pytest.mark.race(seed=...)"),
    ("UNBIND, schedules=3", "schedules is not a table of a scenario; write @pytest.mark.race(sche"),
    (
        "UNBIND, executions=3",
        "executions is not a table of a scenario; write @pytest.mark.race(exe",
    ),
    ("UNBIND, program=[]", "program is not a table of a scenario; give programs as lists of lines"),
    ("UNBIND, extends='overflow'", "extends is not a table of a scenario"),
    ("UNBIND, kernel={1: 2}", "kernel.1: unknown key"),
    ("UNBIND, device=[{1: 2}]", "device[0].1: unknown key"),
    (
        "UNBIND, device=[{}, {'workload': {'pages': 4}}]",
        "device[1]: dev-01 runs a workload, but programs run all tenants",
    ),
    ("UNBIND, ['t0: pause 1ms']", "program 1, 't0: pause 1ms': t0 already runs program 0"),
    ("", 'no program; give at least one list of lines, like ["map t0 4", "bind d0 t0"]'),
    ("[]", "program 0: a program has 1 to 4096 lines, this one 0"),
    ("[3]", "program 0, 3: expected str, got int"),
    ("3", "program 0 is 3; expected a list of lines, like ["),
    ("'map t0 4', UNBIND", "program 0 is 'map t0 4'; expected a list of lines, like ["),
    ("UNBIND, 'map t0 4'", "program 1 is 'map t0 4'; expected a list of lines, like ["),
]


def test_an_error_in_a_call_is_one_line(tmp_path: Path) -> None:
    calls = [call for call, _ in MISTAKES]
    (tmp_path / "test_it.py").write_text(
        GOOD
        + "".join(
            f"def test_{number}(iopf_race):\n    iopf_race{how}({call})\n"
            for how in ("", ".finds")
            for number, call in enumerate(calls, 0 if not how else len(calls))
        )
    )
    texts = failures(run(tmp_path, "-q"))
    for text, (_, says) in zip(texts, MISTAKES * 2, strict=True):
        assert text.startswith(says)
        assert "\n" not in text


OPEN = """
from iopf.tools.lab.play.system import build_lab

def test_another_is_open(iopf_race):
    with build_lab(["t0: start", "map t0 4"]):
        iopf_race(["t0: start", "map t0 4"])

def test_replay(iopf_race):
    with build_lab(["t0: start", "map t0 4"]):
        iopf_race.replay("it.json")
"""


def test_a_second_lab_in_a_process_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    run(tmp_path, "-q")
    (file,) = (tmp_path / ".iopf-schedules").iterdir()
    file.rename(tmp_path / "it.json")
    (tmp_path / "test_it.py").write_text(OPEN)
    for text in failures(run(tmp_path, "-q")):
        assert text == (
            "a process can have one lab open at a time: "
            "build labs in one thread, and close the previous one"
        )


MARKED = """
import pytest

@pytest.mark.race
def test_forgotten(iopf_race):
    pass

@pytest.mark.race
def test_skipped(iopf_race):
    pytest.skip()

@pytest.mark.race
def test_other_failure(iopf_race):
    assert False

@pytest.mark.race
def test_marker_of_its_own():
    pass

def test_unmarked(iopf_race):
    pass
"""


def test_a_marked_test_that_never_calls_the_fixture_fails(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(MARKED)
    done = run(tmp_path, "-q", "-rA")
    assert outcomes(done) == {
        "forgotten": "FAILED",
        "other_failure": "FAILED",
        "marker_of_its_own": "PASSED",
        "unmarked": "PASSED",
    }
    forgotten, other, *_ = failures(done)
    assert forgotten == "marked race, but iopf_race was never called: the test checks nothing"
    assert "assert False" in other
    assert "1 skipped" in done.stdout


def test_a_pass_reports_its_schedules_when_asked(tmp_path: Path) -> None:
    sound = FAILING.replace('{"defects": ["remove-before-drain"]}', "{}")
    (tmp_path / "test_it.py").write_text(
        sound + FAILING.replace("_race(\n", "_race.finds(\n").replace("_unbind", "_finds")
    )
    assert "schedules of seed" not in run(tmp_path, "-q").stdout
    asked = run(tmp_path, "-q", "-rP")
    assert asked.returncode == 0, asked.stdout
    assert re.search(
        r"-+ iopf schedules -+\n3,000 schedules of seed 4 in .* s, memory model tso: none fails\n",
        asked.stdout,
    )
    assert re.search(
        r"-+ iopf schedules -+\n\d+ schedules of seed 4 in .*: the last one fails as expected, .+\n",
        asked.stdout,
    )


def test_workers_of_xdist_do_not_conflict(tmp_path: Path) -> None:
    body = FAILING.replace('kernel={"defects": ["remove-before-drain"]},', "")
    for number in range(4):
        (tmp_path / f"test_{number}.py").write_text(body)
    done = run(tmp_path, "-q", "-n", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_a_project_without_races_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    ours = sorted(name for name in sys.modules if name.split('.')[0] == 'iopf')\n"
        "    plugin = 'iopf.tools.lab.pytest.plugin'.split('.')\n"
        "    assert ours == ['.'.join(plugin[:i]) for i in range(1, 6)]\n"
    )
    done = run(tmp_path, "-q")
    assert done.returncode == 0, done.stdout
