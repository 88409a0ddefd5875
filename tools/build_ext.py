"""The build command behind ext-modules: setuptools' own, made quick.

* An editable install compiles into an empty temporary folder and copies the modules beside their
  sources, so it would compile all of them after each change. Putting the module of the last build
  where the new one is expected lets setuptools compare dates as it does for an ordinary build.
* setuptools compiles in several threads when `parallel` is set, and would call Cython from them.
  Cython translates everything here first, in processes of its own; the threads only run gcc.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension
from setuptools.command.build_ext import build_ext

PACKAGES = ("cython_ext", "device_procs", "emulator", "shm")


class BuildExt(build_ext):
    """Named in pyproject.toml ([tool.setuptools] cmdclass)."""

    # Options are looked up under this name; the default is that of the class.
    command_name = "build_ext"

    def build_extensions(self) -> None:
        translated = cythonize(self.extensions, nthreads=int(self.parallel or 0))
        for extension, ready in zip(self.extensions, translated, strict=True):
            extension.sources = ready.sources
            # Cython follows .pxd files by itself and passes on nothing about C headers. They are
            # few and most modules include them, so each module depends on all of them.
            extension.depends = [*extension.depends, *headers()]
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        if self.editable_mode:
            self._keep_last_build(ext)
        super().build_extension(ext)

    def _keep_last_build(self, ext: Extension) -> None:
        expected = Path(self.get_ext_fullpath(ext.name))
        last = Path(*ext.name.split(".")).with_name(expected.name)
        if last.exists() and not expected.exists():
            expected.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(last, expected)  # with its date, which is what is compared


def headers() -> list[str]:
    """Every C header of the tree. The build runs in the root of the project."""
    return sorted(str(path) for package in PACKAGES for path in Path(package).rglob("*.h"))
