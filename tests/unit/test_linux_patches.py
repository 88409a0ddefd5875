# SPDX-License-Identifier: MIT
"""Reading and applying patches to the copy of a tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from iopf.emulator.linux import applying, patches
from iopf.emulator.linux.errors import BuildError

FILE = "include/linux/a.h"
DIFF = f"--- a/{FILE}\n+++ b/{FILE}\n@@ -2,3 +2,3 @@ here\n two\n-three\n+THREE\n four\n"
CREATE = "diff --git a/include/new.h b/include/new.h\nnew file mode 100644\n--- /dev/null\n+++ b/include/new.h\n@@ -0,0 +1,2 @@\n+a\n+b\n"
DELETE = f"--- a/{FILE}\n+++ /dev/null\n@@ -1,5 +0,0 @@\n-one\n-two\n-three\n-four\n-five\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/include/linux").mkdir(parents=True)
    (tmp_path / "tree" / FILE).write_text("one\ntwo\nthree\nfour\nfive\n")
    return tmp_path / "tree"


def applied(text: str, tree: Path) -> Path:
    copy = tree.parent / "copy"
    applying.apply(patches.Patch("p", patches.parse("p", text)), tree, copy)
    return copy


def test_a_hunk_applies_to_the_copy_only(tree: Path) -> None:
    assert (applied(DIFF, tree) / FILE).read_text() == "one\ntwo\nTHREE\nfour\nfive\n"
    assert "THREE" not in (tree / FILE).read_text()


def test_a_hunk_may_have_moved(tree: Path) -> None:
    (tree / FILE).write_text("zero\n" * 9 + (tree / FILE).read_text())
    assert (applied(DIFF, tree) / FILE).read_text().endswith("one\ntwo\nTHREE\nfour\nfive\n")


def test_later_hunks_follow_the_shift_of_earlier_ones(tree: Path) -> None:
    (tree / FILE).write_text("x\ny\n" * 20)
    text = f"--- a/{FILE}\n+++ b/{FILE}\n@@ -1,2 +1,4 @@\n x\n+new\n+new\n y\n@@ -31,2 +33,2 @@\n x\n-y\n+Y\n"
    lines = (applied(text, tree) / FILE).read_text().splitlines()
    assert lines.index("Y") == 33


def test_files_are_created_deleted_and_renamed(tree: Path) -> None:
    copy = applied(CREATE + DELETE, tree)
    assert (copy / "include/new.h").read_text() == "a\nb\n"
    assert not (copy / FILE).exists()
    moved = f"diff --git a/{FILE} b/include/b.h\nrename from {FILE}\nrename to include/b.h\n"
    assert [(c.old, c.new) for c in patches.parse("p", moved)] == [(FILE, "include/b.h")]


def test_what_is_not_compiled_is_left_out(tree: Path) -> None:
    patch = patches.Patch("p", patches.parse("p", DIFF.replace(FILE, "Documentation/x.rst") + DIFF))
    assert applying.apply(patch, tree, tree.parent / "copy") == ([FILE], ["Documentation/x.rst"])
    out = patches.Patch("p", patches.parse("p", DIFF.replace(FILE, "include/../../x")))
    assert applying.apply(out, tree, tree.parent / "copy") == ([], ["include/../../x"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DIFF.replace(" two", " too"), "hunk 1 of 1 of include/linux/a.h (line 2 in here) does not apply: line 2 is 'two', not 'too'"),
        (DIFF.replace("-2,3 +2,3", "-9,3 +9,3").replace(" two", " x"), "line 9 is the end of the file, not 'x'"),
        (DIFF.replace(FILE, "include/none.h"), "include/none.h: no such file in this tree"),
        (CREATE.replace("include/new.h", FILE), "the file to create exists"),
        (DIFF.removesuffix(" four\n"), "hunk 1 of include/linux/a.h is cut off"),
    ],
)  # fmt: skip
def test_what_does_not_apply_is_named(text: str, said: str, tree: Path) -> None:
    with pytest.raises(BuildError) as caught:
        applied(text, tree)
    assert said in str(caught.value)


def mail(number: int, diff: str) -> str:
    return (
        f"From abc Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nSubject: [PATCH v2 {number}/2] part {number}\n"
        f"Content-Transfer-Encoding: quoted-printable\n\nText.\n---\n{diff.replace('=', '=3D')}-- \n2.39\n\n"
    )


def test_a_mailbox_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    box = tmp_path / "series.mbox"
    box.write_text(mail(2, DIFF) + mail(1, CREATE) + mail(0, ""))
    found = patches.read(str(box))
    assert [patch.name for patch in found] == ["[PATCH v2 1/2] part 1", "[PATCH v2 2/2] part 2"]
    assert found[1].changes[0].hunks[0].before == ["two", "three", "four"]


def test_a_directory_is_read_as_its_series_says(tmp_path: Path) -> None:
    (tmp_path / "a.patch").write_text(DIFF)
    (tmp_path / "b.patch").write_text(CREATE)
    assert [patch.name for patch in patches.read(str(tmp_path))] == ["a.patch", "b.patch"]
    (tmp_path / "series").write_text("# order\nb.patch\na.patch -p1\n")
    assert [patch.name for patch in patches.read(str(tmp_path))] == ["b.patch", "a.patch"]


def test_a_file_without_a_diff_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.patch").write_text("nothing\n")
    with pytest.raises(BuildError, match="no diff in it"):
        patches.read(str(tmp_path / "x.patch"))
    with pytest.raises(BuildError, match="No such file"):
        patches.read(str(tmp_path / "y.patch"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildError, match="no series file"):
        patches.read(str(tmp_path / "empty"))
