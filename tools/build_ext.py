"""The build command of the extensions: setuptools' own, faster, with one extension per .pyx.

* pyproject.toml has one extension whose sources are a pattern. It is replaced by one extension per matching file, named after its
  module.
* An editable install compiles into an empty temporary folder and copies the modules beside their sources, so it would compile all of
  them after each change. The last build of a module is therefore copied to its new location, so that setuptools can compare dates as
  in an ordinary build.
* setuptools compiles in several threads if `parallel` is set, and would call Cython in them. Cython translates all files here first,
  in separate processes; the threads only run gcc.

As a program it builds the compiled helpers of the tests, in place: python -m iopf.tools.build_ext
"""

from __future__ import annotations

import copy
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

SOURCE_ROOT = Path(".src")  # relative to the root of the tree
PROBES = Path("tests/probes")
LAYOUT = "iopf.emulator.board.layout"


class BuildExt(build_ext):
    """Named in pyproject.toml ([tool.setuptools] cmdclass)."""

    # Options are looked up under this name, which by default is that of the class.
    command_name = "build_ext"

    def finalize_options(self) -> None:
        found = expanded(self.distribution.ext_modules or [])
        self.distribution.ext_modules = list(found)
        super().finalize_options()

    def build_extensions(self) -> None:
        sys.path.insert(
            0, str(SOURCE_ROOT)
        )  # a first build imports from a tree that is not installed
        from iopf.tools.structs import layout_mark

        include = [str(SOURCE_ROOT), "."]
        translated = cythonize(
            self.extensions, nthreads=int(self.parallel or 0), include_path=include
        )
        for extension, ready in zip(self.extensions, translated, strict=True):
            extension.sources = ready.sources
            # Cython tracks .pxd files but not C headers. These are few and most modules include them, so each module depends on all.
            extension.depends = [*extension.depends, *headers()]
            if extension.name == LAYOUT:
                extension.define_macros.append(
                    ("IOPF_LAYOUT_MARK", f"{layout_mark(SOURCE_ROOT / 'iopf')}u")
                )
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        if self.editable_mode:
            self._keep_last_build(ext)
        super().build_extension(ext)

    def _keep_last_build(self, ext: Extension) -> None:
        expected = Path(self.get_ext_fullpath(ext.name))
        last = SOURCE_ROOT.joinpath(*ext.name.split(".")).with_name(expected.name)
        if last.exists() and not expected.exists():
            expected.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(last, expected)  # with its date, which setuptools compares


def expanded(extensions: Iterable[Extension]) -> Iterator[Extension]:
    """Expand patterns into one extension per file, named after its module; keep the others."""
    for extension in extensions:
        pattern = extension.sources[0]
        if "*" not in pattern:
            yield extension
            continue
        # Expanded folder by folder: rglob does not follow the links below the source root.
        for package in sorted((SOURCE_ROOT / "iopf").iterdir()):
            for source in sorted(package.glob("**/*.pyx")):
                one = copy.copy(extension)
                one.name = ".".join(source.relative_to(SOURCE_ROOT).with_suffix("").parts)
                one.sources = [str(source)]
                yield one


def headers() -> list[str]:
    """Every C header of the packages."""
    return sorted(str(path) for path in (SOURCE_ROOT / "iopf").glob("*/**/*.h"))


def build_probes(compile_args: list[str]) -> None:
    """Compile tests/probes in place. The packages must be built."""
    modules = [
        Extension(
            ".".join(source.with_suffix("").parts),
            [str(source)],
            include_dirs=[str(SOURCE_ROOT)],
            extra_compile_args=compile_args,
        )
        for source in sorted(PROBES.glob("*.pyx"))
    ]
    options: dict[str, Any] = {"ext_modules": modules, "script_name": "probes"}
    command = BuildExt(Distribution(options))
    command.inplace = True
    command.parallel = 2
    command.ensure_finalized()
    command.run()


def main() -> None:
    import tomllib

    project = tomllib.loads(Path("pyproject.toml").read_text())
    (pattern,) = project["tool"]["setuptools"]["ext-modules"]
    build_probes(pattern["extra-compile-args"])


if __name__ == "__main__":
    main()
