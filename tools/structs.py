# SPDX-License-Identifier: MIT
"""A mark of the layout of shared memory, from the declarations of its structures. Standard library only.

Names, types and order of all fields count, in every `cdef struct` of the board and of the primitives and in every C struct of their
headers; so do the names and numbers of every enumeration, since the words hold them. Comments and white space do not count. The
build compiles the mark into the module that formats boards, so builds with different fields or numbers refuse each other's shared
memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("cython_ext", "emulator/board", "emulator/spec")
_CYTHON = re.compile(
    r"^cp?def (?:struct|enum)(?: (\w+))?:[^\n]*\n((?:[ \t]+[^\n]*\n|\n)+)", re.MULTILINE
)
_C = re.compile(r"^(?:typedef )?struct (\w*) ?\{(.*?)^\}", re.MULTILINE | re.DOTALL)
_CYTHON_COMMENT = re.compile(r"#[^\n]*|\"\"\".*?\"\"\"", re.DOTALL)
_C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def structs(text: str, *, header: bool) -> Iterator[str]:
    """Each structure and, of Cython files, each enumeration: its name and its fields, one line."""
    pattern, comment = (_C, _C_COMMENT) if header else (_CYTHON, _CYTHON_COMMENT)
    for found in pattern.finditer(text):
        yield " ".join([found[1] or "", *comment.sub(" ", found[2]).split()])


def layout_mark(root: Path) -> int:
    """32 bits that change with any field of any shared structure below `root`."""
    made = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted([*(root / folder).glob("*.pxd"), *(root / folder).glob("*.h")]):
            for line in structs(path.read_text(), header=path.suffix == ".h"):
                made.update(f"{line}\n".encode())
    return int.from_bytes(made.digest()[:4], "big")
