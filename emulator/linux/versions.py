# SPDX-License-Identifier: MIT
"""What a tree is: its version, the files that are built, and what its headers declare."""

from __future__ import annotations

import re
from pathlib import Path

from iopf.emulator.linux.errors import BuildError

# Built and run with unmodified sources.
KNOWN = ("6.1", "6.12", "7.2")
MAKEFILE = "Makefile"
# What is looked at of a tree; the rest is neither unpacked nor patched.
FOLDERS = ("drivers/iommu", "include")
CORE = "drivers/iommu/io-pgfault.c"
# The first of each line that exists is built.
FILES = (
    (CORE,),
    ("drivers/iommu/iommu-sva.c", "drivers/iommu/iommu-sva-lib.c"),
    ("drivers/iommu/iommu.c",),
)
_HEADER = "include/linux/iommu.h"
# Macro -> a declaration in include/linux/iommu.h; the driver is compiled for what is there.
FEATURES = {
    "TREE_ATTACH_HANDLE": r"struct iommu_attach_handle \{",
    "TREE_DEV_FEATURES": r"\(\*dev_enable_feat\)\(",
    "TREE_REMOVE_DEV_PASID": r"\(\*remove_dev_pasid\)\(",
    "TREE_SET_DEV_PASID_OLD": r"\(\*set_dev_pasid\)\([^;]*struct iommu_domain \*old",
}


def known() -> str:
    return f"known to work: {', '.join(KNOWN)}"


def version_of(makefile: str, where: str) -> str:
    """`6.12.117`, from the head of the Makefile."""
    found: dict[str, str] = dict(
        re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *=[ \t]*(\S*)", makefile, re.M)
    )
    if not {"VERSION", "PATCHLEVEL"} <= found.keys() or not found["VERSION"].isdigit():
        raise BuildError(
            f"{where}: not a kernel tree: its Makefile states no VERSION and PATCHLEVEL"
        )
    text = f"{found['VERSION']}.{found['PATCHLEVEL']}"
    if found.get("SUBLEVEL", "0") not in ("", "0"):
        text += f".{found['SUBLEVEL']}"
    return text + found.get("EXTRAVERSION", "")


def identify(tree: Path, where: str) -> str:
    """The version of a tree. Raises BuildError if this is none, or one without the fault path."""
    try:
        makefile = (tree / MAKEFILE).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BuildError(f"{where}: not a kernel tree: no {MAKEFILE} at its top") from error
    version = version_of(makefile, where)
    for name in (_HEADER, CORE):
        if not (tree / name).is_file():
            raise BuildError(f"{where}: Linux {version} without {name}; {known()}")
    return version


def files_of(tree: Path) -> list[str]:
    """The sources that are built."""
    found = []
    for names in FILES:
        found += [name for name in names if (tree / name).is_file()][:1]
    return found


def features_of(tree: Path) -> list[str]:
    """The macros of what the tree declares."""
    text = (tree / _HEADER).read_text(encoding="utf-8", errors="replace")
    return [macro for macro, pattern in FEATURES.items() if re.search(pattern, text)]
