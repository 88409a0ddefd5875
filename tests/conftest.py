# SPDX-License-Identifier: MIT
"""After every test, checks for leftovers: processes, shared memory, semaphores, sockets.

The test process becomes the subreaper of its orphans, so a process whose parent ended or was killed becomes its child. An ended
child that was not waited for is reaped silently: the processes of a killed supervisor end up here.

Other test runs may share the machine. A shared-memory name identifies its creator, so objects of other living processes are ignored.
An object with a dead creator counts as ours, so an object of another run that is killed meanwhile can be misattributed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from iopf.shm.naming import SHM_DIR, parse
from iopf.shm.objects import trouble_of

from tests.support.speed import expected_s, slowdown

_PR_SET_CHILD_SUBREAPER = 36
_GRACE_S = 3.0
_LONG_GENERATIONS = {"v5.18", "v6.2", "v6.11", "v6.13", "v6.16"}


def pytest_configure(config: pytest.Config) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    config.pluginmanager.register(_Announcement(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Markers by folder. A test of one generation is long if a neighbour in time stays in the short suite."""
    for item in items:
        for name in ("races", "stress"):
            if item.path.parent.name == name:
                item.add_marker(name)
        callspec = getattr(item, "callspec", None)
        if callspec is not None and callspec.params.get("generation") in _LONG_GENERATIONS:
            item.add_marker("long")
        limit_s = _limit_s(item)
        if limit_s:
            item.add_marker(pytest.mark.timeout(limit_s * slowdown()), append=False)


def _limit_s(item: pytest.Item) -> float:
    """The time limit of a test on the reference machine: its own, or that of pyproject.toml; 0 when there is neither."""
    own = item.get_closest_marker("timeout")
    return float(own.args[0] if own else item.config.getini("timeout") or 0)


class _Announcement:
    """Tells how many tests will run and how long they take here, before the first one."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        self._tell(len(ids))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._tell(len(session.items))

    def _tell(self, tests: int) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._told or reporter is None:
            return
        self._told = True
        workers = int(getattr(self._config.option, "numprocesses", None) or 1)
        minutes = expected_s(tests, workers) / 60
        speed = (
            f"; this machine runs {slowdown():.1f} times slower than an idle one"
            if slowdown() > 1.2
            else ""
        )
        length = f"about {minutes:.0f} min" if minutes >= 1 else "less than a minute"
        reporter.write_line(f"{tests} test{'s'[: tests != 1]}, {length}{speed}")


def _children() -> dict[int, str]:
    """The children of this process that have not been reaped: a description of each, or '' for an ended one."""
    found = {}
    me = os.getpid()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_text()
            state, parent = stat.rpartition(")")[2].split()[:2]
            if int(parent) == me:
                command = (
                    Path("/proc", entry, "cmdline")
                    .read_bytes()
                    .replace(b"\0", b" ")
                    .decode(errors="replace")
                )
                found[int(entry)] = (
                    ""
                    if state in "ZX"
                    else f"process {entry} ({command.strip() or 'no command line'})"
                )
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended during the check
    return found


def _shared() -> set[str]:
    """Objects and semaphores in /dev/shm that are ours, or whose creator is dead."""
    found = set()
    for entry in os.listdir(SHM_DIR):
        name = parse(entry.removeprefix("sem."))
        if (
            name is not None
            and name.uid == os.getuid()
            and (name.pid == os.getpid() or not name.creator_alive)
            and _ours(SHM_DIR / entry)
        ):
            found.add(f"{SHM_DIR}/{entry}")
    return found


# Under nohup, in the background of a script and under some CI runners these are ignored, and so they would be in all commands.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


def _ours(path: Path) -> bool:
    """Not what a test elsewhere has put there as a stranger's."""
    try:
        return trouble_of(path.lstat()) is None
    except FileNotFoundError:
        return False


def _sockets() -> set[str]:
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.add(f"descriptor {entry} ({target})")
    return found


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Fail the test with its leftovers, and remove the processes so that the next test starts clean."""
    processes, shared, sockets = _children(), _shared(), _sockets()
    yield
    until = time.monotonic() + _GRACE_S * slowdown()
    while True:
        new = {pid: what for pid, what in _children().items() if pid not in processes}
        for pid in [pid for pid, what in new.items() if not what]:
            _reap(pid)
        left = sorted(what for what in new.values() if what)
        left += sorted(_shared() - shared) + sorted(_sockets() - sockets)
        if not left or time.monotonic() > until:
            break
        time.sleep(0.02)
    for pid in [pid for pid, what in new.items() if what and left]:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert not left, "left behind by this test: " + ", ".join(left)
