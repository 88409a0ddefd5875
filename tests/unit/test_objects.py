# SPDX-License-Identifier: MIT
"""Names in /dev/shm that look like ours: what is not ours is neither opened, attached to, removed nor counted, and stops nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from iopf.shm.arena import read_header
from iopf.shm.naming import Name, own_name
from iopf.shm.objects import ArenaError, dead_objects, find_all, in_use, remove, scan

from tests.support.running import iopf

BOARD = Path("/etc/hostname")


def _link(path: Path) -> None:
    path.symlink_to(BOARD)


def _dangling(path: Path) -> None:
    path.symlink_to("/nowhere")


def _second_name(path: Path) -> None:
    path.touch(0o600)
    os.link(path, path.with_name(f"second-{path.name}"))


def _readable(path: Path) -> None:
    path.touch()
    path.chmod(0o644)


STRANGERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (lambda path: os.mkfifo(path, 0o600), "is not a plain file"),
    "directory": (lambda path: path.mkdir(0o700), "is not a plain file"),
    "link": (_link, "is not a plain file"),
    "dangling link": (_dangling, "is not a plain file"),
    "second name": (_second_name, "has a second name"),
    "readable by others": (_readable, "has mode 0644, not 0600"),
}


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.with_name(f"second-{path.name}").unlink(missing_ok=True)


@pytest.fixture(params=list(STRANGERS))
def stranger(request: pytest.FixtureRequest) -> Iterator[tuple[Name, str]]:
    """An object with the name of a dead process of this user."""
    make, reason = STRANGERS[request.param]
    mine = own_name(7777703)
    name = Name(mine.uid, mine.pid, mine.started - 1, mine.serial)
    make(name.path)
    try:
        yield name, reason
    finally:
        _gone(name.path)


def test_a_stranger_is_none_of_ours(stranger: tuple[Name, str]) -> None:
    name, reason = stranger
    assert name not in find_all()
    assert name not in dead_objects()
    assert not in_use(name)
    assert [each.reason for each in scan()[1] if each.name == name] == [reason]
    for refused in (remove, read_header):
        with pytest.raises(ArenaError, match="it is left alone") as error:
            refused(name)
        assert error.value.status == 3
    assert os.path.lexists(name.path)


def test_a_run_starts_beside_a_stranger(stranger: tuple[Name, str], tmp_path: Path) -> None:
    name, reason = stranger
    run = iopf("run", "quickstart", "-qq", "--run-dir", str(tmp_path / "run"))
    assert (run.returncode, run.stdout.split()[:2]) == (0, ["verdict", "PASS:"])
    assert iopf("ps").returncode == 0
    cleaned = iopf("clean", "-v")
    assert cleaned.returncode == 0
    assert f"skipped {name}: {reason}" in cleaned.stdout
    assert os.path.lexists(name.path)


def test_another_users_object_is_told_by_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = own_name(7777704)
    mine.path.touch(0o600)
    with contextlib.ExitStack() as stack:
        stack.callback(mine.path.unlink)
        uid = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: uid)
        claimed = Name(uid, mine.pid, mine.started, mine.serial)
        os.rename(mine.path, claimed.path)
        stack.callback(os.rename, claimed.path, mine.path)
        assert claimed not in find_all()
        with pytest.raises(ArenaError, match=f"belongs to user {uid - 1}"):
            remove(claimed)


@pytest.mark.parametrize("what", ["missing", "a file"])
def test_an_unusable_dev_shm_is_one_line(
    what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "shm"
    if what == "a file":
        place.touch()
    monkeypatch.setattr("iopf.shm.objects.SHM_DIR", place)
    with pytest.raises(ArenaError, match=r"cannot list it: .*; check how it is mounted$") as error:
        find_all()
    assert error.value.status == 3
