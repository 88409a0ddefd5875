# SPDX-License-Identifier: MIT
"""The mark of the layout: which edits of a declaration change it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from iopf.tools.structs import FOLDERS, layout_mark, structs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.so", "*.c")
        )
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (
            "emulator/board/devices.pxd",
            "    uint32_t rid\n    uint32_t credits ",
            "    uint32_t credits\n    uint32_t rid ",
        ),
        ("emulator/board/devices.pxd", "    uint64_t groups_sent\n", "    int64_t groups_sent\n"),
        ("emulator/board/tenants.pxd", "    uint32_t exited", "    uint32_t gone"),
        ("emulator/spec/fault.h", "    uint32_t perm ", "    uint32_t more;\n    uint32_t perm "),
        ("emulator/spec/program.pxd", "    DO_TURN = 96 ", "    DO_TURN = 99 "),
        ("emulator/board/config.pxd", "    OPTION_EAGER = 2 ", "    OPTION_EAGER = 3 "),
        ("cython_ext/crew.h", "uint32_t wait_site,", "uint32_t wait_place,"),
    ],
)
def test_a_field_that_moves_changes_the_mark(tree: Path, file: str, old: str, new: str) -> None:
    before = layout_mark(tree)
    assert before == layout_mark(ROOT)
    edit(tree / file, old, new)
    assert layout_mark(tree) != before


def test_a_comment_does_not(tree: Path) -> None:
    before = layout_mark(tree)
    edit(tree / "emulator/board/devices.pxd", "requests put on the link", "requests sent")
    assert layout_mark(tree) == before


def test_every_structure_of_the_board_counts() -> None:
    found = {
        line.split()[0]
        for folder in FOLDERS
        for path in [*(ROOT / folder).glob("*.pxd"), *(ROOT / folder).glob("*.h")]
        for line in structs(path.read_text(), header=path.suffix == ".h")
    }
    assert {"board", "device", "tenant", "iommu_regs", "iopf_group", "iommu_fault", "pool"} <= found
    text = (ROOT / "emulator/board/devices.pxd").read_text()
    declared = len(re.findall(r"^cp?def (?:struct|enum)", text, re.MULTILINE))
    assert len(list(structs(text, header=False))) == declared
