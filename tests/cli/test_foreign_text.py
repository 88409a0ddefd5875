# SPDX-License-Identifier: MIT
"""Names from arguments, files and shared memory on a terminal: they neither move the cursor nor begin a line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import msgpack
import pytest
from iopf.emulator.board.layout import layout_hash
from iopf.emulator.board.snapshot import Snapshot
from iopf.shm.arena import Arena
from iopf.shm.objects import find_all
from iopf.tools.status import Status

from tests.support.running import ENDLESS, Running, iopf

HOSTILE = "x\x1b[2J\x1b]0;t\x07\r\nverdict     PASS"
SHOWN = r"x\x1b[2J\x1b]0;t\x07\x0d\x0averdict     PASS"


def check(output: str) -> None:
    for line in output.split("\n"):
        assert line.isprintable(), line


@pytest.mark.parametrize(
    "args",
    [
        ("check", HOSTILE),
        ("show", HOSTILE),
        ("run", HOSTILE),
        ("run", "--trace", HOSTILE),
        ("run", "--kernel", HOSTILE),
        ("run", "--set", f"system.name={HOSTILE}"),
        ("race", "replay", HOSTILE),
        ("race", "minimise", HOSTILE),
        ("race", "run", HOSTILE),
        ("race", "show", HOSTILE),
        ("events", HOSTILE),
        ("top", HOSTILE),
        ("help", HOSTILE),
        (HOSTILE,),
        ("run", "--run-dir", f"/proc/{HOSTILE}"),
    ],
)
def test_an_argument_in_an_error_is_one_line(args: tuple[str, ...]) -> None:
    done = iopf(*args)
    assert done.returncode in (Status.USAGE, Status.MACHINE), done.stderr
    assert done.stdout == ""
    check(done.stderr)
    assert len(done.stderr.splitlines()) == 1


def test_a_scenario_with_a_hostile_path_has_one_verdict(tmp_path: Path) -> None:
    path = tmp_path / HOSTILE
    path.write_text("schema = 1\n[[device]]\nworkload.groups = 9\n")
    done = iopf("run", str(path), "--run-dir", str(tmp_path / f"run {HOSTILE}"))
    assert done.returncode == Status.OK, done.stderr
    check(done.stdout + done.stderr)
    last = done.stdout.splitlines()[-1]
    assert last.endswith(SHOWN)
    assert [x for x in done.stdout.splitlines() if x.startswith("verdict")] == [last]
    named = iopf("run", str(path), cwd=tmp_path)
    (directory,) = (tmp_path / "iopf-runs").iterdir()
    assert directory.name.isprintable()
    check(named.stdout)
    for verb in ("check", "show"):
        done = iopf(verb, str(path))
        assert done.returncode == Status.OK
        assert SHOWN in done.stdout
        check(done.stdout)


def test_a_schedule_file_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    made = iopf("race", "run", "remove-before-drain", "-o", str(tmp_path / "found"))
    assert made.returncode == Status.FAILED, made.stderr
    document = json.loads((tmp_path / "found").read_text())
    path = tmp_path / "changed"
    changes: list[dict[str, object]] = [
        {"programs": [[HOSTILE]]},
        {"segments": [[HOSTILE, 1]]},
        {"memory": HOSTILE},
        {"live": {HOSTILE: 1}},
        {"scenario": {HOSTILE: 1}},
        {HOSTILE: 1},
    ]
    for change in changes:
        path.write_text(json.dumps({**document, **change}))
        done = iopf("race", "replay", str(path))
        check(done.stdout + done.stderr)
        assert done.returncode == Status.USAGE, (change, done.stdout, done.stderr)
    path.write_text(json.dumps({**document, "constraints": [HOSTILE]}))
    done = iopf("race", "replay", str(path), "--constraints")
    check(done.stdout + done.stderr)
    assert done.returncode == Status.USAGE, done.stdout + done.stderr


def test_names_in_shared_memory_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    with Running(tmp_path, "--devices", "2", *ENDLESS) as run:
        (name,) = [name for name in find_all() if name.pid == run.process.pid]
        arena = Arena.attach(name, layout_hash(), writable=True)
        snapshot = Snapshot(arena.memory)
        meta = msgpack.packb({"name": HOSTILE, "devices": [HOSTILE, "[red]dev"]})
        arena.memory.write_bytes(snapshot.meta_offset, len(meta).to_bytes(4, "little") + meta)
        pid = str(run.process.pid)
        listed = iopf("ps").stdout
        shown = iopf("top", pid, "--once", "--interval", "0.2").stdout
        meta = msgpack.packb({"name": [HOSTILE], "devices": 7})
        arena.memory.write_bytes(snapshot.meta_offset, len(meta).to_bytes(4, "little") + meta)
        other = iopf("top", pid, "--once", "--json", "--interval", "0.2")
        del snapshot
        arena.close()
    assert SHOWN in listed
    assert r"x\x1b[2J" in shown
    assert "[red]dev" in shown
    check(listed + shown)
    assert other.returncode == Status.OK, other.stderr
    assert [row["name"] for row in json.loads(other.stdout)["devices"]] == ["dev-00", "dev-01"]


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    """A file may be called anything: the run works, or one line says what to rename."""
    scenario = tmp_path / "s\udcff.toml"
    scenario.write_text("schema = 1\n[[device]]\nworkload.groups = 3\n")
    done = iopf("run", str(scenario), "--run-dir", str(tmp_path / "d\udcff"))
    assert done.returncode == Status.OK, done.stderr
    assert done.stdout.splitlines()[-1].endswith(r"/d\xff")
    assert r"d\xff" in (tmp_path / "d\udcff" / "testid.txt").read_text()
    assert iopf("run", str(scenario), "--json", cwd=tmp_path).returncode == Status.OK
    control = tmp_path / "c\x9b\u202e\x1b\n"
    control.write_text("")
    (tmp_path / "c.toml").write_text(
        f"schema = 1\ntrace.files = [{json.dumps(control.name)}]\ndevice = [{{workload = "
        '{pattern = "replay", groups = 0}}]\n'
    )
    shown = iopf("show", "--toml", str(tmp_path / "c.toml"))
    assert shown.returncode == Status.OK, shown.stderr
    check(shown.stdout)
    assert tomllib.loads(shown.stdout)["trace"]["files"] == [str(control)]
    trace = tmp_path / "t\udcff"
    trace.write_text("p-1 [000] .... 1.000001: page_fault_user: address=0x1 ip=0x1 error_code=0x6")
    done = iopf("run", "--trace", str(trace))
    assert done.returncode == Status.USAGE
    (line,) = done.stderr.splitlines()
    assert r"t\xff' is not UTF-8, as TOML has to be; rename the file" in line
