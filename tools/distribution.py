# SPDX-License-Identifier: MIT
"""What the wheel and the source distribution hold.

The wheel: modules, stubs and data that an installed package uses. It leaves out declarations (.pxd, .h), because nothing compiles
against an installed iopf, and the tools that only work in the tree.

The source distribution: the tree as cloned, with the tests, and with the links of .src/iopf as links, so that it builds, and
`python3 tools/bootstrap.py test` works in it. Git is not asked, because a source distribution has no repository.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

SOURCE_ROOT = Path(".src/iopf")
FILES = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")
FOLDERS = ("cython_ext", "device_procs", "emulator", "shm", "tools", "tests", ".ci")
# Modules of iopf.tools that build and check the tree; the packages iopf.tools.points and mutate are excluded in
# pyproject.toml.
TREE_ONLY = (
    "bootstrap",
    "build_ext",
    "checks",
    "distribution",
    "layers",
    "machine",
    "progress",
    "sources",
    "structs",
)
_MADE = (".so", ".pyc", ".o")


class PythonFiles(build_py):
    """Named in pyproject.toml: the .py files of the wheel."""

    command_name = "build_py"

    def run(self) -> None:
        if not self.editable_mode:
            # What an earlier build left there would be in the wheel.
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()

    def find_package_modules(self, package: str, package_dir: str) -> list[Any]:
        found: list[Any] = super().find_package_modules(package, package_dir)
        if package != "iopf.tools":
            return found
        return [each for each in found if each[1] not in TREE_ONLY]


class SourceDistribution(sdist):
    """Named in pyproject.toml. With SOURCE_DATE_EPOCH the archive depends on the content of the tree only."""

    command_name = "sdist"

    def make_distribution(self) -> None:
        # Not in the tree, where two builds would meet. `keep_temp`: its folder is removed here.
        with tempfile.TemporaryDirectory() as folder:
            self._folder, self.keep_temp = Path(folder), True
            super().make_distribution()

    def make_release_tree(self, base_dir: str, _files: Sequence[str]) -> None:
        root = self._folder / base_dir
        super().make_release_tree(str(root), [str(path) for path in tree_files()])
        for link in sorted(SOURCE_ROOT.iterdir()):
            if link.is_symlink():
                (root / link).symlink_to(os.readlink(link))
        (root / "setup.cfg").unlink(missing_ok=True)  # options that this build was started with

    def make_archive(self, base_name: str, *_format: str, base_dir: str, **_owner: Any) -> str:
        """A .tar.gz, whatever the format: setuptools makes no other one unless told so, and puts the time into it."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        date = None if epoch is None else int(epoch)

        def settled(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            member.mtime = member.mtime if date is None else date
            return member

        path = Path(f"{base_name}.tar.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            path.open("wb") as file,
            gzip.GzipFile("", "wb", mtime=date, fileobj=file) as packed,
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            archive.add(self._folder / base_dir, base_dir, filter=settled)
        return str(path)


def tree_files() -> Iterator[Path]:
    """The files of the tree, without what builds and runs make."""
    yield from (Path(name) for name in FILES)
    yield from sorted(path for path in SOURCE_ROOT.iterdir() if path.is_file())
    for folder in FOLDERS:
        for where, folders, names in sorted(os.walk(folder)):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in sorted(names):
                path = Path(where, name)
                if path.suffix not in _MADE and not path.name.startswith(".") and not _made(path):
                    yield path


def _made(path: Path) -> bool:
    """Whether Cython made it."""
    return path.suffix == ".c" and path.with_suffix(".pyx").exists()
