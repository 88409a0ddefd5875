# SPDX-License-Identifier: MIT
"""From objects to the image: what is the tree's, what is ours, and functions in place of what nobody has."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from iopf.emulator.linux import compiling
from iopf.emulator.linux.errors import MachineError

# Resolved when the image is loaded: the runtime, its hooks, and the C library's few that the shim declares.
LOADED = re.compile(
    r"rt_\w+|__tsan_\w+|_GLOBAL_OFFSET_TABLE_|mem(cpy|set|cmp|move)|str(len|cmp|ncmp)|v?snprintf|sprintf"
)
MISSING = "missing.c"


def symbols(objects: Sequence[Path]) -> tuple[set[str], set[str]]:
    """Global definitions and undefined names of objects, without weak ones."""
    defined: set[str] = set()
    undefined: set[str] = set()
    command = ["nm", "-g", "-P", *map(str, objects)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise MachineError("no 'nm'; install binutils") from error
    if found.returncode:
        raise MachineError(f"nm: {(found.stderr.strip().splitlines() or ['failed'])[-1]}")
    for line in found.stdout.splitlines():
        words = line.split()
        if len(words) < 2 or words[1] in "wv":
            continue
        (undefined if words[1] == "U" else defined).add(words[0])
    return defined, undefined - defined


def functions(tree: Sequence[Path], ours: Sequence[Path]) -> dict[str, list[str]]:
    """`tree`: what the tree's files define; `ours`: what they call of the shim; `missing`: what is in neither."""
    defined, wanted = symbols(tree)
    shim, shim_wants = symbols(ours)
    missing = {
        name for name in (wanted | (shim_wants - defined)) - shim if not LOADED.fullmatch(name)
    }
    return {
        "tree": sorted(defined),
        "ours": sorted(wanted & shim),
        "missing": sorted(missing),
    }


def write_missing(names: Sequence[str], to: Path) -> None:
    """A function for each name that ends the run; its caller is the place."""
    lines = [
        "/* Generated: functions that neither the tree's files nor the shim have. */",
        "void rt_missing(const char *function, const void *pc) __attribute__((noreturn));",
        *(
            f'long {name}(void) {{ rt_missing("{name}", __builtin_return_address(0)); }}'
            for name in names
        ),
    ]
    to.write_text("\n".join(lines) + "\n", encoding="utf-8")


def link(objects: Sequence[Path], missing: Sequence[str], to: Path, work: Path) -> None:
    """The shared object at the constant address."""
    write_missing(missing, work / MISSING)
    extra = work / "missing.o"
    own = [
        compiling.compiler(),
        "-c",
        "-O1",
        "-w",
        "-fPIC",
        "-fno-builtin",
        MISSING,
        "-o",
        str(extra),
    ]
    compiling.run(own, work, None)
    command = [compiling.compiler(), *compiling.LINK, *map(str, objects), str(extra), "-o", str(to)]
    compiling.run(command, work, None)
    os.unlink(extra)
