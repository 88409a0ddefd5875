# SPDX-License-Identifier: MIT
"""The wheel in a project that has folders of the same names: its own suite, a race test, and types."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.packages import Environment, build
from tests.unit.test_api import example

OWN = """
import emulator.model
import shm.ring
import tools.helper


def test_these_are_the_folders_of_the_project():
    assert (emulator.model.NAME, shm.ring.NAME, tools.helper.NAME) == ("model", "ring", "helper")
"""
RACE = """
import pytest

@pytest.mark.race(schedules=500)
def test_unbind_against_a_fault(iopf_race):
    iopf_race(
        ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"],
        ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a try"],
        device=[{"stop": "marker"}],
    )
"""
MODULES = {"tools": "helper", "emulator": "model", "shm": "ring"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("installed")
    return Environment(folder / "venv", build("wheel", folder / "wheel"))


@pytest.fixture(params=[True, False], ids=["packages", "namespaces"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A project whose folders are packages, or namespace packages."""
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    for folder in (*MODULES, "tests"):
        (tmp_path / folder).mkdir()
        if request.param:
            (tmp_path / folder / "__init__.py").touch()
    for folder, module in MODULES.items():
        (tmp_path / folder / f"{module}.py").write_text(f"NAME = {module!r}\n")
    (tmp_path / "tests" / "test_own.py").write_text(OWN)
    (tmp_path / "tests" / "test_race.py").write_text(RACE)
    return tmp_path


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", ["pytest", "python -m pytest"])
def test_both_suites_pass_and_the_race_test_can_fail(
    environment: Environment, project: Path, how: str
) -> None:
    start = [environment.pytest] if how == "pytest" else [environment.python, "-m", "pytest"]
    command = [*start, "-q", "-p", "no:cacheprovider"]
    done = environment.run(*command, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    bug = RACE.replace("device=", 'kernel={"defects": ["remove-before-drain"]}, device=')
    (project / "tests" / "test_race.py").write_text(bug)
    done = environment.run(*command, cwd=project)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    (file,) = re.findall(r"iopf race replay (\S+)\n", done.stdout)
    iopf = environment.python.with_name("iopf")
    assert environment.run(iopf, "race", "replay", file, cwd=project).returncode == 1
    again = environment.run(
        environment.python, "-m", "iopf.tools.cli", "race", "replay", file, cwd=project
    )
    assert again.returncode == 1, again.stderr
    assert "trace identical" in again.stderr


@pytest.mark.timeout(400)
def test_every_installed_module_can_be_imported(environment: Environment, tmp_path: Path) -> None:
    code = """
import importlib, pkgutil, sys, iopf
assert sys.prefix in iopf.__file__, iopf.__file__
names = [each.name for each in pkgutil.walk_packages(iopf.__path__, "iopf.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
    done = environment.run(environment.python, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 300


@pytest.mark.timeout(400)
@pytest.mark.skipif(not find_spec("mypy"), reason="mypy comes with `bootstrap.py check`")
def test_strict_mypy_accepts_code_that_uses_the_interface(
    environment: Environment, tmp_path: Path
) -> None:
    (tmp_path / "example.py").write_text(example())
    wrong = example() + '\n\ndef wrong() -> int:\n    return run("quickstart", sets=3).problems\n'
    (tmp_path / "wrong.py").write_text(wrong)
    options = ("--strict", "--python-executable", str(environment.python))
    mypy = [sys.executable, "-m", "mypy", *options]
    done = environment.run(*mypy, "example.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = environment.run(*mypy, "wrong.py", cwd=tmp_path)
    assert "[arg-type]" in done.stdout
    assert "[return-value]" in done.stdout
