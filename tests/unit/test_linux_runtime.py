# SPDX-License-Identifier: MIT
"""The runtime of Linux's own files: each detector fires on its defect, is silent on the twin, and repeats by its seed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from iopf.emulator.linux import building, cache, exploring
from iopf.emulator.linux.errors import BuildError
from iopf.emulator.linux.exploring import Explored

SUPPORT = Path(__file__).parents[1] / "support"
SCHEDULES = 2000
# Program -> the findings that are right. More than one: which comes first depends on the schedule.
DEFECTS = {
    "use-after-free": {"use after free", "free without order", "double free"},
    "out-of-bounds": {"out of bounds"},
    "double-free": {"double free"},
    "invalid-free": {"invalid free"},
    "leak": {"leak"},
    "stack-frame": {"use of a stack frame that is gone"},
    "race": {"data race"},
    "marked": {"data race"},
    "publish": {"data race"},
    "order": {"lock order", "deadlock"},
    "recursive": {"recursive lock"},
    "unlocked": {"unlock of a lock that is not held"},
    "atomic-sleep": {"sleeping under a spinlock"},
    "rcu": {"use after free", "free without order"},
    "rcu-outside": {"RCU"},
    "warning": {"warning"},
    "hidden": {"warning"},
    "null-pointer": {"invalid pointer dereference"},
    "missing": {"missing function"},
    "lost-wake-up": {"deadlock"},
    "endless": {"step limit"},
    "flush": {"lock order", "deadlock"},
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our mini-tree with the defects as its driver."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        built = building.build(
            str(SUPPORT / "minitree"), [], "mini", lambda _text: None, driver=SUPPORT / "defects"
        )
        return cache.root() / built.digest


def explore(image: Path, program: str, schedules: int = SCHEDULES, seed: int = 1) -> Explored:
    return exploring.explore(image, program, schedules, seed, switch_in=8, fail_in=0)


@pytest.mark.parametrize("program", DEFECTS)
def test_a_defect_is_found(program: str, image: Path) -> None:
    found = explore(image, program).finding
    assert found is not None
    assert found.kind in DEFECTS[program]
    assert found.places


@pytest.mark.parametrize("program", DEFECTS)
def test_its_twin_is_silent(program: str, image: Path) -> None:
    explored = explore(image, f"{program}-not")
    assert explored.finding is None
    assert explored.schedules == SCHEDULES


@pytest.mark.parametrize("program", ["use-after-free", "rcu", "stack-frame", "lost-wake-up"])
def test_a_seed_repeats_its_finding(program: str, image: Path) -> None:
    first = explore(image, program).finding
    assert first is not None
    again = explore(image, program, schedules=1, seed=first.seed)
    assert again.finding == first


def test_a_finding_names_function_file_and_line(image: Path) -> None:
    source = (SUPPORT / "defects/programs.c").read_text().splitlines()
    found = explore(image, "double-free").finding
    assert found is not None
    by, allocated, freed = found.places
    line = {text: number for number, text in enumerate(source, 1)}
    second = line["    if (wrong) kfree(t);"]
    assert by.frames[0].startswith("double_free ")
    assert by.frames[0].endswith(f"/programs.c:{second}")
    assert freed.frames[0].endswith(f"/programs.c:{second - 1}")
    assert [frame.split()[0] for frame in allocated.frames][:2] == ["get", "double_free"]
    missing = explore(image, "missing").finding
    assert missing is not None
    call = line["    if (wrong) never_written(n);"]
    assert missing.text.startswith("never_written (called from ")
    assert missing.text.endswith(f"/programs.c:{call})")


def test_a_deadlock_names_where_each_actor_waits(image: Path) -> None:
    found = explore(image, "lost-wake-up").finding
    assert found is not None
    assert [(place.what, place.frames[0].split()[0]) for place in found.places] == [
        ("blocked", "waits")
    ]


def test_a_warning_may_be_counted_to_see_what_is_behind_it(image: Path) -> None:
    explored = exploring.explore(
        image, "hidden", 10, 1, switch_in=8, fail_in=0, warnings_continue=True
    )
    assert explored.finding is not None
    assert explored.finding.kind == "use after free"
    assert explored.warnings == explored.schedules == 1


def test_the_programs_are_those_of_the_driver() -> None:
    text = (building.DRIVER / "driver.c").read_text()
    table = text[text.index("} programs[] = {") :]
    assert re.findall(r'^    \{"([a-z-]+)", \{', table, re.M) == list(exploring.PROGRAMS)
    page = (SUPPORT.parents[1] / "tools/cli/pages/linux.md").read_text()
    assert re.findall(r"^  ([a-z-]+) {2,}\S", page, re.M) == list(exploring.PROGRAMS)


def test_an_unknown_program_is_refused(image: Path) -> None:
    with pytest.raises(BuildError, match="no program 'none'"):
        explore(image, "none")


# Edits of a private copy of io-pgfault.c that put a defect in: function, statement, and what takes its place.
EDITS = {
    "answered groups stay listed": (
        "void iopf_group_response(", "list_del_init(&group->pending_node);", ""
    ),
    "no flush": ("int iopf_queue_flush_dev(", "flush_workqueue(iopf_param->queue->wq);", ""),
    "answers without the lock": ("void iopf_group_response(", "mutex_lock(&fault_param->lock);", ""),
}  # fmt: skip
TREES = os.environ.get("IOPF_LINUX_TREES", "")
HEADER = "include/linux/iommu.h"


def _runs(path: Path) -> bool:
    """Whether the driver supports this tree: from 6.11."""
    return (path / HEADER).is_file() and "iommu_attach_handle {" in (path / HEADER).read_text()


RUN = [path for path in (sorted(Path(TREES).iterdir()) if TREES else []) if _runs(path)]
needs_trees = pytest.mark.skipif(
    not RUN, reason="IOPF_LINUX_TREES names no directory with unpacked Linux sources from 6.11"
)
trees = pytest.mark.parametrize("path", RUN, ids=lambda path: str(path.name))


def _built(path: Path, name: str) -> Path:
    return cache.root() / building.build(str(path), [], name, lambda _text: None).digest


@needs_trees
@trees
@pytest.mark.parametrize("fail_in", [0, 10])
def test_unmodified_sources_raise_no_alarm(
    path: Path, fail_in: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = _built(path, "real")
    for program in exploring.PROGRAMS:
        explored = exploring.explore(folder, program, 20000, 1, switch_in=8, fail_in=fail_in)
        assert explored.finding is None, program


@needs_trees
@trees
@pytest.mark.parametrize("edit", EDITS)
def test_a_defect_that_is_put_into_a_copy_is_found(
    path: Path, edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    copy = tmp_path / "tree"
    shutil.copytree(path / "drivers/iommu", copy / "drivers/iommu")
    (copy / "include").symlink_to(path.resolve() / "include")
    shutil.copyfile(path / "Makefile", copy / "Makefile")
    source = copy / "drivers/iommu/io-pgfault.c"
    function, statement, instead = EDITS[edit]
    before, _, rest = source.read_text().partition(f"\n{function}")
    body, end, after = rest.partition("\n}\n")
    assert statement in body
    edited = body.replace(statement, instead)
    if "mutex_lock" in statement:
        edited = edited.replace(statement.replace("mutex_lock", "mutex_unlock"), "")
    source.write_text(f"{before}\n{function}{edited}{end}{after}")
    folder = _built(copy, "edited")
    found = [
        exploring.explore(folder, program, 20000, 1, switch_in=8, fail_in=0).finding
        for program in exploring.PROGRAMS
    ]
    assert any(found)
