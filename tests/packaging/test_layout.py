# SPDX-License-Identifier: MIT
"""The tree and pyproject.toml agree."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from iopf.tools import build_ext, checks, layers, sources
from setuptools import Extension

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {
    "LICENSE",
    "README.md",
    "cython_ext",
    "device_procs",
    "emulator",
    "pyproject.toml",
    "shm",
    "tests",
    "tools",
}
# Created by runs and builds and listed in .gitignore, or part of an unpacked source distribution.
PRODUCED = {"build", "iopf-runs", "__pycache__", "PKG-INFO"}
LAYERS = layers.FOLDERS


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def cython_files(suffix: str) -> list[Path]:
    return sorted(path for package in LAYERS for path in (ROOT / package).rglob(f"*.{suffix}"))


def test_the_top_level_has_the_expected_entries() -> None:
    found = {
        path.name
        for path in ROOT.iterdir()
        if not path.name.startswith(".") and not path.name.endswith(".egg-info")
    }
    assert found - PRODUCED <= TOP_LEVEL
    assert not (ROOT / "setup.py").exists()


def test_every_pyx_is_built_and_nothing_else(
    project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (pattern,) = project["tool"]["setuptools"]["ext-modules"]
    monkeypatch.chdir(ROOT)
    built = list(build_ext.expanded([Extension(pattern["name"], pattern["sources"])]))
    sources = {one.name: one.sources for one in built}
    assert sources == {
        "iopf." + str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): [
            f".src/iopf/{path.relative_to(ROOT)}"
        ]
        for path in cython_files("pyx")
    }


def test_the_import_root_is_links_to_the_folders() -> None:
    root = ROOT / ".src" / "iopf"
    links = {path.name: os.readlink(path) for path in root.iterdir() if path.is_symlink()}
    assert links == {package: f"../../{package}" for package in LAYERS}


def test_every_source_names_its_licence() -> None:
    """In its first line, or the second after `#!`. An empty file has no work to license."""
    tag = "SPDX-License-Identifier: MIT"
    for folder in (*LAYERS, "tests"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".pyx", ".pxd", ".pyi", ".h"):
                first = path.read_text().splitlines()[:2]
                assert not first or tag in first[first[0].startswith("#!")], path


def test_every_folder_with_code_is_a_package() -> None:
    for package in LAYERS:
        for path in (ROOT / package).rglob("*.py*"):
            if path.suffix in (".py", ".pyx", ".pxd"):
                assert (path.parent / "__init__.py").exists(), path.relative_to(ROOT)


def test_every_dependency_has_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = text.split("\ndependencies = [\n")[1].split("\n]")[0]
    for line in block.splitlines():
        assert re.fullmatch(r'    "[\w-]+>=[\d.]+", +# .{10,}', line), line


def test_the_lists_of_folders_agree(project: dict[str, Any]) -> None:
    contracts = project["tool"]["importlinter"]["contracts"]
    assert contracts[0]["layers"] == [f"iopf.{layer}" for layer in reversed(LAYERS)]
    strangers = {name.removeprefix("iopf.").replace(".", "/") for name in contracts[1]["modules"]}
    assert strangers == set(layers.STRANGERS)
    assert set(sources.PACKAGES) == set(checks.PACKAGES) == set(LAYERS)


def test_compiled_modules_keep_to_the_layers() -> None:
    assert list(layers.violations(ROOT)) == []


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("shm/x.pyx", "from iopf.emulator.board.board cimport view", "upwards"),
        ("emulator/spec/x.pxd", "from iopf.emulator.board.board cimport view", "upwards"),
        ("emulator/mm/x.pyx", "from iopf.emulator.kernel.core.group cimport *", "upwards"),
        ("cython_ext/x.pxd", "cimport iopf.shm.naming", "upwards"),
        ("device_procs/x.pyx", "from iopf.emulator.kernel.core.group cimport *", "meets"),
        ("emulator/hw/x.pyx", "from iopf.emulator.kernel.vtd.qi cimport qi_wait", "meets"),
        ("emulator/kernel/core/x.pyx", "from iopf.emulator.spec.vtd cimport *", "vendor"),
        (
            "emulator/kernel/sva/x.pyx",
            "from iopf.emulator.kernel.vtd.drain cimport *",
            "vendor",
        ),
        ("device_procs/x.pyx", "from iopf.emulator.spec.vtd cimport prq_qw0", "vendor"),
        (
            "emulator/kernel/core/x.pyx",
            "from iopf.emulator.spec.generations cimport GEN_V7_2",
            "generations",
        ),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, line: str, reason: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f'"""A module."""\n\n{line}\n')
    (found,) = layers.violations(tmp_path)
    assert found.startswith(f"{file}:3: ")
    assert reason in found


def test_generated_files_are_ignored() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for line in (".venv/", "*.so", "__pycache__/", "*.egg-info/", "iopf-runs/", ".hypothesis/"):
        assert line in ignored
