# SPDX-License-Identifier: MIT
"""A second build of the extensions that reports every memory access, for `lint.py`.

Step code is compiled with -fsanitize=thread and linked with ``runtime.c`` instead of the sanitizer's runtime. The scheduler is not
instrumented, because its accesses belong to no step. The copy is in a folder of its own, so the tree and its ordinary build are
unchanged; a module is compiled again when its source or any declaration changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from iopf.tools.structs import layout_mark

PACKAGES = ("cython_ext", "device_procs", "emulator", "shm", "tools")
RUNTIME = "libiopf_points.so"
# Scheduler, observers, and code that never runs in a controlled system.
_PLAIN = (
    "emulator/sched/",
    "shm/",
    "cython_ext/runqueue",
    "cython_ext/memory",
    "cython_ext/ticks",
    "cython_ext/ring_bench",
    "cython_ext/channel",
    "emulator/board/control",
    "emulator/board/snapshot",
    "emulator/spec/codec",
)
_FLAGS = ["-O1", "-g", "-fPIC", "-shared", "-fno-strict-aliasing", "-w"]
_MEMORY = """/* The C library's functions are not instrumented. */
#include <string.h>
void *points_memcpy(void *to, const void *from, unsigned long n);
void *points_memset(void *to, int value, unsigned long n);
#define memcpy(to, from, n) points_memcpy(to, from, n)
#define memset(to, value, n) points_memset(to, value, n)
"""


class BuildError(Exception):
    """The compiler's error output."""


def instrumented(source: str) -> bool:
    """Whether the module of this .pyx, a path in the tree, has steps of actors."""
    return not source.startswith(_PLAIN)


def build(tree: Path, to: Path) -> Path:
    """Create or update the copy in `to`/iopf; return `to`. The tree must be built. Raises BuildError, OSError."""
    inner = to / "iopf"
    inner.mkdir(parents=True, exist_ok=True)
    _copy(tree / ".src/iopf/__init__.py", inner / "__init__.py")
    files = [
        file
        for package in PACKAGES
        for file in (tree / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".c"
    ]
    sources = [file for file in files if file.suffix == ".pyx"]
    suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
    replaced = {
        file.with_suffix(suffix) for file in sources if instrumented(str(file.relative_to(tree)))
    }
    for file in files:
        if file not in replaced:
            _copy(file, inner / file.relative_to(tree))
    for name in ("runtime.c", "orders.h"):
        shutil.copyfile(tree / "tools/points" / name, inner / "tools/points" / name)
    declarations = _digest(
        file for file in files if file.suffix in (".pxd", ".h") and "points" not in file.parts
    )
    (to / "memory.h").write_text(_MEMORY)
    runtime = [
        "gcc",
        "-O2",
        "-g",
        "-fPIC",
        "-shared",
        "-w",
        "-I",
        ".",
        "iopf/tools/points/runtime.c",
    ]
    _run([*runtime, "-o", RUNTIME], to)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        chosen = [file for file in sources if instrumented(str(file.relative_to(tree)))]
        list(pool.map(lambda file: _compile(tree, file, to, declarations), chosen))
    return to


def _module(tree: Path, source: Path, to: Path) -> Path:
    suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
    return (to / "iopf" / source.relative_to(tree)).with_suffix(suffix)


def _copy(source: Path, to: Path) -> None:
    if to.exists() and to.stat().st_mtime_ns == source.stat().st_mtime_ns:
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, to)


def _digest(files: Iterable[Path]) -> str:
    made = hashlib.sha256()
    for file in sorted(files):
        made.update(file.read_bytes())
    return made.hexdigest()


def _compile(tree: Path, source: Path, to: Path, declarations: str) -> None:
    module = _module(tree, source, to)
    wanted = declarations + _digest([source, Path(__file__)])
    stamp = module.with_suffix(".stamp")
    if module.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    made, name = module.with_suffix(".c"), f"iopf/{source.relative_to(tree)}"
    cython = [sys.executable, "-m", "cython", "-3", "--line-directives", "-I", "."]
    _run([*cython, name, "-o", str(made)], to)
    include = ["-I", sysconfig.get_paths()["include"], "-I", ".", "-include", "memory.h"]
    objects = str(made.with_suffix(".o"))
    flags = [flag for flag in _FLAGS if flag != "-shared"]
    flags.append(f"-DIOPF_LAYOUT_MARK={layout_mark(tree)}u")
    _run(["gcc", *flags, "-fsanitize=thread", "-c", *include, str(made), "-o", objects], to)
    link = ["gcc", "-shared", objects, "-o", str(module), f"-L{to}", f"-l:{RUNTIME}"]
    _run([*link, f"-Wl,-rpath,{to}"], to)
    made.with_suffix(".o").unlink()
    made.unlink()
    stamp.write_text(wanted)


def _run(command: list[str], cwd: Path) -> None:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
