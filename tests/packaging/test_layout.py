"""The tree and pyproject.toml agree."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from iopf.tools import build_ext, checks, sources
from setuptools import Extension

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {
    "README.md",
    "cython_ext",
    "device_procs",
    "emulator",
    "pyproject.toml",
    "shm",
    "tests",
    "tools",
}
# Created by runs and builds; listed in .gitignore.
PRODUCED = {"build", "iopf-runs", "__pycache__"}
LAYERS = ("cython_ext", "shm", "emulator", "device_procs", "tools")
STRANGERS = ("emulator/hw", "emulator/kernel", "device_procs")


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
    assert strangers == set(STRANGERS)
    assert set(sources.PACKAGES) == set(checks.PACKAGES) == set(LAYERS)


@pytest.mark.parametrize(
    "path", cython_files("pyx") + cython_files("pxd"), ids=lambda path: str(path.relative_to(ROOT))
)
def test_cimports_go_one_way(path: Path) -> None:
    """import-linter reads .py files only; the compiled ones follow the same direction."""
    own = path.relative_to(ROOT)
    for name in re.findall(
        r"^\s*(?:from|cimport)\s+iopf\.([\w.]+)", path.read_text(), re.MULTILINE
    ):
        top = name.split(".")[0]
        if top in LAYERS:
            assert LAYERS.index(top) <= LAYERS.index(own.parts[0]), f"{own} cimports {name}"
        for stranger in STRANGERS:
            theirs = name.replace(".", "/").startswith(stranger)
            others = [each for each in STRANGERS if each != stranger]
            assert not (theirs and str(own).startswith(tuple(others))), f"{own} cimports {name}"


def test_generated_files_are_ignored() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for line in (".venv/", "*.so", "__pycache__/", "*.egg-info/", "iopf-runs/", ".hypothesis/"):
        assert line in ignored
