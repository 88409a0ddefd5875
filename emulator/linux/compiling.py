# SPDX-License-Identifier: MIT
"""The compiler: which files a source includes, objects, and the first error of a failure."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from iopf.emulator.linux.errors import BuildError, MachineError
from iopf.emulator.linux.versions import known

HERE = Path(__file__).parent
HEADERS = HERE / "headers"
STUBS = "stubs"  # in a staging directory, beside the copy of the tree
INCLUDES = ("include", "include/uapi", "drivers/iommu")  # of the tree

# The addresses of the image are constant, so code is position independent for its calls into the runtime only.
COMMON = [
    "-std=gnu11",
    "-O2",
    "-g",
    "-fPIC",
    "-fno-strict-aliasing",
    "-fno-common",
    "-fwrapv",
    "-fno-omit-frame-pointer",
    "-fno-optimize-sibling-calls",
    "-fno-stack-protector",
    "-w",
]
KERNEL = ["-nostdinc", "-ffreestanding", "-include", "shim/kernel.h"]
# Every access is a call of the runtime, with READ_ONCE and WRITE_ONCE told apart. Struct copies become ranges.
INSTRUMENTED = ["-fsanitize=thread", "--param", "tsan-distinguish-volatile=1"]
LINK = [
    "-shared",
    "-nostdlib",
    "-Wl,-Ttext-segment=0x200000000000",
    "-Wl,-z,now",
    "-Wl,-z,max-page-size=4096",
    "-Wl,--build-id=none",
]
RUNNER = ["-std=gnu11", "-O2", "-g", "-fno-strict-aliasing", "-fno-omit-frame-pointer", "-rdynamic"]

_ERROR = re.compile(
    r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):(?:\d+:)? (?:fatal )?error: (?P<text>.*)", re.M
)


def compiler() -> str:
    """gcc: the parameter that separates volatile accesses is its own. CC names another one."""
    name = os.environ.get("CC") or "gcc"
    found = shutil.which(name)
    if found is None:
        raise MachineError(f"no compiler '{name}'; install gcc, or set CC")
    return found


@functools.cache
def identity() -> str:
    """The compiler in use, by its version."""
    found = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False)
    if found.returncode:
        raise MachineError(f"{compiler()} --version: status {found.returncode}")
    return found.stdout.splitlines()[0]


def write_stubs(staging: Path) -> None:
    """Empty headers for what shim/kernel.h replaces."""
    for line in (HEADERS / "replaced.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            path = staging / STUBS / line
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def _includes(staging: Path, tree: Path | None) -> list[str]:
    """Ours before the tree's copy, that before the tree."""
    ours = [f"-I{HEADERS}", f"-I{staging / STUBS}"]
    copied = [f"-I{name}" for name in INCLUDES]
    return ours + copied + ([f"-I{tree / name}" for name in INCLUDES] if tree else [])


def dependencies(sources: Sequence[str], staging: Path, tree: Path | None) -> list[str]:
    """The files that `sources` include, ours left out: relative ones are in the copy, absolute ones in `tree`."""
    command = [compiler(), "-M", *KERNEL, *_includes(staging, tree), *sources]
    output = run(command, staging / "tree", tree)
    words = output.replace("\\\n", " ").split()
    ours = (str(HEADERS), str(staging / STUBS))
    return sorted({word for word in words if not word.endswith(":") and not word.startswith(ours)})


def compile_kernel(
    source: str, to: Path, staging: Path, *, instrumented: bool, defines: Sequence[str] = ()
) -> None:
    """One object, with the kernel's headers. `source`: relative to the copy, or ours."""
    flags = [*COMMON, *KERNEL, *(INSTRUMENTED if instrumented else ()), *defines]
    mapped = [f"-ffile-prefix-map={HERE}/=", f"-ffile-prefix-map={staging}/tree=."]
    run(
        [compiler(), "-c", *flags, *mapped, *_includes(staging, None), source, "-o", str(to)],
        staging / "tree",
        None,
    )


def run(command: list[str], where: Path, tree: Path | None) -> str:
    """The output of a compiler. Raises BuildError with its first error."""
    environ = {**os.environ, "LC_ALL": "C"}
    ended = subprocess.run(
        command,
        cwd=where,
        capture_output=True,
        text=True,
        errors="replace",
        env=environ,
        check=False,
    )
    if ended.returncode == 0:
        return ended.stdout
    error = _ERROR.search(ended.stderr)
    if error is None:
        last = (ended.stderr.strip().splitlines() or [f"status {ended.returncode}"])[-1]
        raise MachineError(f"{Path(command[0]).name}: {last}")
    file = error["file"].removeprefix(f"{tree}/" if tree else "").removeprefix(f"{where}/")
    raise BuildError(f"{file}:{error['line']}: {error['text']}; {known()}")
