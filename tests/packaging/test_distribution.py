# SPDX-License-Identifier: MIT
"""What the wheel and the source distribution hold."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from iopf.tools.distribution import FOLDERS, TREE_ONLY

from tests.support.packages import ROOT, build

SUFFIX = str(sysconfig.get_config_var("EXT_SUFFIX"))
PACKAGES = [folder for folder in FOLDERS if (ROOT / folder / "__init__.py").exists()]
PACKED = 0.55  # of the size of the modules; what else a wheel holds is small text


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", tmp_path_factory.mktemp("sdist"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def modules(found: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in found.items() if name.endswith(".so")}


def tree(*patterns: str) -> set[str]:
    """Files of the packages, as they are named in the wheel."""
    paths = (path for p in PACKAGES for each in patterns for path in (ROOT / p).rglob(each))
    return {f"iopf/{path.relative_to(ROOT)}" for path in paths}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    found = {name for name in contents(wheel) if ".dist-info/" not in name}
    built = {name.removesuffix(".pyx") + SUFFIX for name in tree("*.pyx")}
    python = {"iopf/__init__.py", "iopf/py.typed"} | tree("*.py", "*.pyi")
    left_out = {f"iopf/tools/{name}.py" for name in TREE_ONLY} | tree("points/*.py", "mutate/*.py")
    data = tree("*.toml", "pages/*.md", "data/*") - tree("mutate/*.toml")
    data |= {name for name in tree("*.c", "*.h", "*.txt") if "/emulator/linux/" in name}
    assert found == built | (python - left_out) | data
    assert left_out < python


def test_no_module_of_the_wheel_needs_one_that_is_left_out(wheel: Path) -> None:
    left_out = re.compile(rf"\biopf\.tools\.({'|'.join(TREE_ONLY)}|points|mutate)\b")
    for name, data in contents(wheel).items():
        if name.endswith(".py"):
            assert not left_out.search(data.decode()), name


def test_the_wheel_is_small(wheel: Path) -> None:
    found = contents(wheel)
    size = sum(len(data) for data in modules(found).values())
    assert wheel.stat().st_size < PACKED * size
    for name, data in modules(found).items():
        assert b".debug_" not in data, name


def test_the_wheel_of_a_built_tree_has_the_modules_of_the_tree(wheel: Path) -> None:
    """Those that the tests ran with; nothing is compiled again."""
    for name, data in modules(contents(wheel)).items():
        assert (ROOT / name.removeprefix("iopf/")).read_bytes() == data, name


def test_no_module_holds_a_path_of_this_machine(wheel: Path) -> None:
    for name, data in modules(contents(wheel)).items():
        assert f"{ROOT}/".encode() not in data, name


def test_the_metadata_say_what_pyproject_says(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = contents(wheel)
    (name,) = (name for name in found if name.endswith("/METADATA"))
    read = message_from_bytes(found[name])
    assert read["License-Expression"] == project["license"] == "MIT"
    assert read["License-File"] == "LICENSE"
    assert found[name.replace("METADATA", "licenses/LICENSE")] == (ROOT / "LICENSE").read_bytes()
    assert read["Description-Content-Type"] == "text/markdown"
    assert read.get_all("Classifier") == project["classifiers"]
    least = int(project["requires-python"].removeprefix(">=3."))
    versions = [c.rpartition(":: ")[2] for c in project["classifiers"] if ":: 3." in c]
    assert versions == [f"3.{minor}" for minor in range(least, least + len(versions))]


def names(source: Path) -> set[str]:
    """Files and links, without the folder of the version."""
    with tarfile.open(source) as opened:
        return {each.name.split("/", 1)[1] for each in opened if not each.isdir()}


def test_the_source_distribution_is_the_tree(source: Path) -> None:
    found = names(source)
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert {name for name in listed if (ROOT / name).exists()} <= found
    made = re.compile(r"\.so$|\.o$|\.pyc$|(^|/)(__pycache__|build|\.venv|\.git)/|egg-info")
    assert not [name for name in found if made.search(name)]
    assert {name.split("/")[0] for name in found} == {
        *FOLDERS,
        ".src",
        ".gitignore",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
    }
    for name in found:
        if name.endswith(".c"):
            assert name.removesuffix(".c") + ".pyx" not in found


def test_an_unpacked_source_distribution_is_a_tree(source: Path, tmp_path: Path) -> None:
    """Its links lead to its own folders, the bootstrap script starts, and it makes the same source distribution again."""
    unpacked = unpack(source, tmp_path)
    for package in PACKAGES:
        assert (unpacked / ".src/iopf" / package).resolve() == unpacked / package
    done = subprocess.run(
        [sys.executable, "tools/bootstrap.py", "--help"],
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    again = build("sdist", tmp_path / "again", unpacked)
    assert again.read_bytes() == source.read_bytes()


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_wheel_of_the_source_distribution_is_the_same(
    wheel: Path, source: Path, tmp_path: Path
) -> None:
    """Built in another folder, from nothing."""
    again = contents(build("wheel", tmp_path / "again", unpack(source, tmp_path)))
    first = contents(wheel)
    assert again.keys() == first.keys()
    assert [name for name in first if first[name] != again[name]] == []


def unpack(source: Path, to: Path) -> Path:
    with tarfile.open(source) as opened:
        opened.extractall(to, filter="data")
    (folder,) = (path for path in to.iterdir() if path.name.startswith("iopf_emulator"))
    return folder
