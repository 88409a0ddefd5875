# SPDX-License-Identifier: MIT
"""The build command of the extensions: setuptools' own, faster, with one extension per .pyx.

* pyproject.toml has one extension whose sources are a pattern. It is replaced by one extension per matching file, named after its
  module.
* A module that is newer than everything it depends on is not built again. Only builds in place and those of pip's editable install leave
  modules beside their sources; other builds copy these, so a wheel of a built tree compiles nothing. All are built again when compiler,
  flags or Cython change, of which dates say nothing.
* The rest is built with a process per core, each module translated, compiled and linked by one of them, the largest first.

Where the time of a full build goes (processor time, gcc 12, Cython 3.3): three fifths are gcc's optimiser, on the modules and the code that
Cython adds to each; 14 percent reads and parses C, of which a precompiled Python.h would save a third; a quarter translates; 2 percent
links. Debugging symbols took a fourth of gcc's time, the search for garbage 40 percent of the translation's, the three modules with typed
memoryviews (now without) ten seconds, so none of these is back.

As a program it builds in place: python -m iopf.tools.build_ext [modules] [probes]. The probes are compiled helpers of the tests.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TextIO

from Cython.Build.Dependencies import create_dependency_tree
from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE_ROOT = Path(".src")  # relative to the root of the tree
PROBES = Path("tests/probes")
LAYOUT = "iopf.emulator.board.layout"
_TELL_S = 1.0
# Run by no step of an actor: enumerations, what the supervisor calls, and what runs once. -O1 halves the time to compile them.
_NOT_ON_THE_PATH = (
    "iopf.cython_ext.crew",
    "iopf.cython_ext.memory",
    "iopf.cython_ext.ticks",
    "iopf.emulator.board.board",
    "iopf.emulator.board.config",
    "iopf.emulator.board.control",
    "iopf.emulator.board.ioasid",
    "iopf.emulator.board.layout",
    "iopf.emulator.board.ledger",
    "iopf.emulator.board.process",
    "iopf.emulator.board.snapshot",
    "iopf.emulator.spec.",
)


class BuildExt(build_ext):
    """Named in pyproject.toml ([tool.setuptools] cmdclass)."""

    # Options are looked up under this name, which by default is that of the class.
    command_name = "build_ext"
    parallel: Any

    def finalize_options(self) -> None:
        found = expanded(self.distribution.ext_modules or [])
        self.distribution.ext_modules = list(found)
        super().finalize_options()
        self.parallel = int(self.parallel or 0) or len(os.sched_getaffinity(0))

    def run(self) -> None:
        # setuptools compiles into another folder, with `inplace` off, and copies the modules.
        self._beside = bool(self.inplace or self.editable_mode)
        super().run()
        if self.inplace:
            for folder in (self.build_lib, self.build_temp):
                shutil.rmtree(folder, ignore_errors=True)

    def build_extensions(self) -> None:
        self.check_extensions_list(self.extensions)
        sys.path.insert(0, str(SOURCE_ROOT))  # a first build imports from a tree not installed
        from iopf.tools.structs import layout_mark

        for extension in self.extensions:
            extension.depends = headers()
            # No path of this machine in a module, so that every tree makes the same one.
            extension.extra_compile_args.append(f"-ffile-prefix-map={Path.cwd()}=.")
            if extension.name.startswith(_NOT_ON_THE_PATH):
                extension.extra_compile_args.append("-O1")
            if extension.name == LAYOUT:
                mark = layout_mark(SOURCE_ROOT / "iopf")
                extension.define_macros.append(("IOPF_LAYOUT_MARK", f"{mark}u"))
        record, digest = self._record()
        same = record.exists() and record.read_text() == digest
        self._build(self._stale(same=same))
        if self._beside:
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(digest)

    def _record(self) -> tuple[Path, str]:
        """The file with the digest of compiler, flags and Cython of the modules beside their sources, and the digest of this build."""
        compiler = self.compiler.compiler_so
        version = subprocess.run(
            [compiler[0], "--version"], capture_output=True, text=True, check=False
        ).stdout
        flags = sorted((each.name, each.extra_compile_args) for each in self.extensions)
        parts = [metadata.version("cython"), version, compiler, self.compiler.linker_so, flags]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        kind = "probes" if self.extensions[0].name.startswith("tests.") else "modules"
        abi = str(sysconfig.get_config_var("SOABI"))
        return Path("build", f"{kind}.{abi}.digest"), digest

    def _stale(self, *, same: bool) -> list[Extension]:
        """The extensions to build. `same`: modules beside their sources have the compiler and flags of this build."""
        tree = create_dependency_tree(quiet=True)  # kept by Cython, and so by the processes forked
        header = max(_date(Path(each)) for each in headers())
        stale = []
        for extension in self.extensions:
            made = Path(self.get_ext_fullpath(extension.name))
            self._settle(extension.name, made, same=same)
            source = extension.sources[0]
            newest = max(header, *(_date(Path(each)) for each in tree.all_dependencies(source)))
            if self.force or not made.exists() or _date(made) < newest:
                stale.append(extension)
        return stale

    def _settle(self, name: str, made: Path, *, same: bool) -> None:
        """Take the module beside its source, with its date, if it is as this build would make it; remove an older one."""
        last = Path(*name.split(".")).with_name(made.name)
        last = last if last.exists() else SOURCE_ROOT / last
        if not same or self.force:
            made.unlink(missing_ok=True)
        elif last.exists() and not (made.exists() and _date(made) >= _date(last)):
            made.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(last, made)

    def _build(self, stale: Sequence[Extension]) -> None:
        """Build each extension in one of the processes. Raises the first error of one."""
        from iopf.tools.progress import Progress

        weights = {each.name: _weight(each) for each in stale}
        largest_first = sorted(stale, key=lambda each: -weights[each.name])
        if not stale:
            return
        with (
            _progress_stream() as out,
            ProcessPoolExecutor(
                self.parallel, get_context("fork"), _begin, (self, largest_first)
            ) as pool,
        ):
            progress = Progress("module", len(stale), sum(weights.values()), out)
            left = {pool.submit(_build_one, n): each.name for n, each in enumerate(largest_first)}
            try:
                while left:
                    for future in wait(left, _TELL_S, FIRST_COMPLETED).done:
                        name = left.pop(future)
                        future.result()
                        progress.advance(weights[name])
                    progress.tell()
            finally:
                for future in left:
                    future.cancel()
                progress.close()


def _progress_stream() -> contextlib.AbstractContextManager[TextIO]:
    """Standard error, or the descriptor that tools/bootstrap.py passes because standard error goes to its log."""
    from iopf.tools.progress import PROGRESS

    number = os.environ.get(PROGRESS)
    if number is None:
        return contextlib.nullcontext(sys.stderr)
    return open(int(number), "w", closefd=False)


_work: tuple[
    BuildExt, Sequence[Extension]
]  # in a process of the build: the command, the extensions


def _begin(command: BuildExt, extensions: Sequence[Extension]) -> None:
    global _work  # noqa: PLW0603
    gc.disable()  # what Cython allocates lives as long as the process; looking for garbage takes a third of the time
    _work = (command, extensions)


def _build_one(number: int) -> None:
    command, extensions = _work
    command.build_extension(extensions[number])


def _weight(extension: Extension) -> float:
    """An estimate of the time to build it: part is the same for each, the rest grows with the source."""
    return 8000.0 + Path(extension.sources[0]).stat().st_size


def _date(path: Path) -> int:
    return path.stat().st_mtime_ns


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
                one.extra_compile_args = list(extension.extra_compile_args)
                one.define_macros = list(extension.define_macros)
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
            include_dirs=[str(SOURCE_ROOT), "."],
            extra_compile_args=list(compile_args),
        )
        for source in sorted(PROBES.glob("*.pyx"))
    ]
    options: dict[str, Any] = {"ext_modules": modules, "script_name": "probes"}
    command = BuildExt(Distribution(options))
    command.inplace = True
    command.ensure_finalized()
    command.run()


def build_modules() -> None:
    """Compile the packages in place, as pyproject.toml says."""
    setup(script_name="modules", script_args=["--quiet", "build_ext", "--inplace"])


def main(arguments: Sequence[str]) -> None:
    import tomllib

    if "modules" in arguments:
        build_modules()
    if "probes" in arguments:
        project = tomllib.loads(Path("pyproject.toml").read_text())
        (pattern,) = project["tool"]["setuptools"]["ext-modules"]
        build_probes(pattern["extra-compile-args"])


if __name__ == "__main__":
    main(sys.argv[1:])
