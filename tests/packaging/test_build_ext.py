# SPDX-License-Identifier: MIT
"""The build command on a small project: what it builds again, and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PROJECT = """
[build-system]
requires = ["setuptools", "cython"]
[project]
name = "small"
version = "1"
[tool.setuptools]
package-dir = { "" = ".src" }
cmdclass = { build_ext = "iopf.tools.build_ext.BuildExt" }
[tool.setuptools.packages.find]
where = [".src"]
[[tool.setuptools.ext-modules]]
name = "iopf"
sources = [".src/iopf/**/*.pyx"]
include-dirs = [".src"]
extra-compile-args = ["-O0"]
"""
FILES = {
    "pyproject.toml": PROJECT,
    ".src/iopf/__init__.py": "",
    ".src/iopf/small/__init__.py": "",
    ".src/iopf/small/one.h": "#define ONE 1\n",
    ".src/iopf/small/base.pxd": "cdef inline int two() noexcept:\n    return 2\n",
    ".src/iopf/small/uses.pyx": "# cython: language_level=3\n"
    "from iopf.small.base cimport two\n\n\ndef value():\n    return two()\n",
    ".src/iopf/small/alone.pyx": "# cython: language_level=3\ndef value():\n    return 1\n",
}
BOTH = {"uses", "alone"}
MILLISECOND = 1_000_000
# The first build compiles two modules from nothing, on a machine that may be busy.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("small")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def build(root: Path, arguments: Sequence[str] = ("modules",)) -> subprocess.CompletedProcess[str]:
    """Progress goes to standard error, which is no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "iopf.tools.build_ext", *arguments],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def dates(root: Path) -> dict[str, int]:
    found = (root / ".src/iopf/small").glob("*.so")
    return {path.name.partition(".")[0]: path.stat().st_mtime_ns for path in found}


def built(root: Path) -> set[str]:
    """The modules that a build makes anew."""
    before = dates(root)
    done = build(root)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name for name, date in dates(root).items() if before.get(name) != date}


def later(path: Path) -> None:
    """Date a changed file after every module, as a later edit would."""
    newest = max(dates(path.parents[2] if path.suffix == ".toml" else path.parents[3]).values())
    os.utime(path, ns=(newest + MILLISECOND, newest + MILLISECOND))


def test_it_builds_what_changed_and_what_depends_on_it(project: Path) -> None:
    small = project / ".src/iopf/small"
    assert built(project) == BOTH
    assert built(project) == set()
    later(small / "base.pxd")
    assert built(project) == {"uses"}
    later(small / "alone.pyx")
    assert built(project) == {"alone"}
    later(small / "one.h")
    assert built(project) == BOTH
    (small / "alone.c").unlink()
    assert built(project) == set()
    text = PROJECT.replace("-O0", "-O1")
    (project / "pyproject.toml").write_text(text)
    assert built(project) == BOTH
    assert built(project) == set()
    assert not list((project / "build").glob("*/**"))  # nothing but the digest of the flags


def test_an_error_ends_the_build_and_names_the_line(project: Path) -> None:
    broken = project / ".src/iopf/small/broken.pyx"
    broken.write_text("# cython: language_level=3\ndef value():\n    return two()\n    cdef\n")
    done = build(project)
    broken.unlink()
    assert done.returncode != 0
    assert "broken.pyx:4:8: " in done.stdout + done.stderr
