# SPDX-License-Identifier: MIT
"""The pytest plugin in a project that uses it, and in one that does not."""

from __future__ import annotations

import json
import re
import textwrap
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from iopf.tools.status import Status

from tests.support.plugin import FAILING, failures, run
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
