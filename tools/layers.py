# SPDX-License-Identifier: MIT
"""Imports and cimports of compiled modules, held to the layers. import-linter reads .py files only. Standard library only.

Rules
    folders     tools > device_procs > emulator > shm > cython_ext, downwards only; inside the emulator the order of `EMULATOR`
    strangers   hardware, kernel and devices do not import each other: they meet on the board and in emulator/spec
    vendors     the kernel's core, iommufd, sva, ioasid and proc import no folder and no record layout of a vendor; board and spec name
                none either, but for the layouts themselves
    generations only emulator/kernel/flows.pyx knows the numbers of generations

Run by `python3 tools/bootstrap.py check`; prints a line for each violation.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("cython_ext", "shm", "emulator", "device_procs", "tools")
# Low to high. What shares a line may import each other.
EMULATOR = (
    ("spec",),
    ("board",),
    ("mm",),
    ("hw", "kernel", "tenant"),
    ("sched",),
)
STRANGERS = ("emulator/hw", "emulator/kernel", "device_procs")
VENDORS = ("vtd",)
VENDOR_FREE = (
    "emulator/kernel/core",
    "emulator/kernel/iommufd",
    "emulator/kernel/ioasid",
    "emulator/kernel/sva",
    "emulator/kernel/proc",
    "emulator/board",
    "emulator/mm",
    "device_procs",
)
# Who may know a vendor: the table of drivers, the main loops of the interrupt threads, the snapshot of registers.
KNOWS_VENDOR = ("emulator/kernel/proc/run.pyx", "emulator/board/snapshot.pyx")
_IMPORT = re.compile(r"^\s*(?:from|cimport|import)\s+iopf\.([\w.]+)", re.MULTILINE)


def imports(text: str) -> Iterator[tuple[int, str]]:
    """Line number and module, without the root, of each import and cimport."""
    for found in _IMPORT.finditer(text):
        yield text.count("\n", 0, found.start(1)) + 1, found[1].replace(".", "/")


def _rank(path: str) -> tuple[int, int]:
    """Folder, and place inside the emulator; higher may import lower."""
    parts = path.split("/")
    inside = -1
    if parts[0] == "emulator" and len(parts) > 1:
        inside = next((i for i, names in enumerate(EMULATOR) if parts[1] in names), -1)
    return FOLDERS.index(parts[0]), inside


def violation(file: str, module: str) -> str:
    """Why the file must not import the module, or nothing. Both are paths below the root of the tree."""
    if (
        module.split("/", maxsplit=1)[0] not in FOLDERS
        or file.split("/", maxsplit=1)[0] not in FOLDERS
    ):
        return ""
    (own, inside), (theirs, there) = _rank(file), _rank(module)
    if theirs > own or (theirs == own and -1 < inside < there):
        return "imports upwards"
    mine = next((each for each in STRANGERS if file.startswith(each)), "")
    if mine and module.startswith(tuple(each for each in STRANGERS if each != mine)):
        return "imports a side that it meets in shared memory only"
    vendor = any(part in VENDORS for part in module.split("/"))
    if vendor and file.startswith(VENDOR_FREE) and file not in KNOWS_VENDOR:
        return "names a vendor"
    known = file in ("emulator/kernel/flows.pyx", "emulator/spec/generations.pyx")
    if module == "emulator/spec/generations" and file.endswith((".pyx", ".pxd")) and not known:
        return "knows the generations, whose differences are rows of the flow table"
    return ""


def violations(root: Path) -> Iterator[str]:
    """One line for each wrong import of a compiled module."""
    for folder in FOLDERS:
        for path in sorted([*(root / folder).rglob("*.pyx"), *(root / folder).rglob("*.pxd")]):
            file = path.relative_to(root).as_posix()
            for line, module in imports(path.read_text()):
                if text := violation(file, module):
                    yield f"{file}:{line}: {text}: {module.replace('/', '.')}"


def main() -> int:
    found = list(violations(ROOT))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
