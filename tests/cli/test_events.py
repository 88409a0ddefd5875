# SPDX-License-Identifier: MIT
"""`iopf events`: the flight recorders of a run, and invalid files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from iopf.tools.cli.main import main
from iopf.tools.status import Status
from iopf.tools.watch.events import EventsError, read_log

from tests.support.running import iopf

PROGRAM = """
schema = 1
[[program]]
ops = ["map t0 4", "bind d0 t0", "send d0 t0 pages=2 group=a", "await d0", "unmap t0 4",
       "send d0 t0 pages=1 group=b", "await d0", "unbind d0 t0"]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run."""
    directory = tmp_path_factory.mktemp("events")
    (directory / "two.toml").write_text(PROGRAM)
    done = iopf("run", "./two.toml", "--set", "system.events=all", cwd=directory)
    assert done.returncode == Status.OK, done.stderr
    return directory


def test_the_events_of_two_groups_are_in_order(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run)
    assert main(["events"]) == Status.OK
    out, err = capsys.readouterr()
    told = [line.partition(": ")[2] for line in out.splitlines()]
    for event in (
        "sva_bind: dev=dev-00 pasid=1",
        "dev_send: dev=dev-00 requests=0-1 prgi=0",
        "hw_prq_write: dev=dev-00 request=0",
        "hw_prq_write: dev=dev-00 request=1",
        "hw_interrupt: interrupts=1",
        "sva_iopf_handler: dev=dev-00 requests=0-1 count=2",
        "iopf_group_response: dev=dev-00 requests=0-1 code=SUCCESS",
        "qi_submit: dev=dev-00 requests=0-1 code=SUCCESS",
        "hw_respond: dev=dev-00 requests=0-1 code=SUCCESS",
        "dev_receive: dev=dev-00 requests=0-1 code=SUCCESS prgi=0",
        "hw_prq_write: dev=dev-00 request=2",
        "iopf_group_response: dev=dev-00 request=2 code=INVALID",
        "hw_respond: dev=dev-00 request=2 code=INVALID",
        "dev_receive: dev=dev-00 request=2 code=INVALID prgi=1",
        "sva_unbind: dev=dev-00 pasid=1",
    ):
        assert told.count(event) == 1, (event, out)
        del told[: told.index(event)]
    assert "overwritten" not in err


def test_events_are_chosen_by_actor_device_and_number(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run)
    (directory,) = (run / "iopf-runs").iterdir()
    assert main(["events", str(directory), "--actor", "dev-00", "--json"]) == Status.OK
    document = json.loads(capsys.readouterr().out)
    assert {event["actor"] for event in document["events"]} == {"dev-00"}
    assert [event["event"] for event in document["events"]] == ["dev_send", "dev_receive"] * 2
    assert main(["events", str(directory / "events.bin"), "--device", "dev-00", "--last", "1"]) == 0
    assert capsys.readouterr().out.endswith("sva_unbind: dev=dev-00 pasid=1\n")


def test_overwritten_events_are_reported(tmp_path: Path) -> None:
    args = ("run", "quickstart", "--set", "system.event_records=64")
    assert iopf(*args, cwd=tmp_path).returncode == Status.OK
    done = iopf("events", cwd=tmp_path)
    assert done.returncode == Status.OK
    assert "overwritten before the end: " in done.stderr
    assert len(done.stdout.splitlines()) <= 64 * 12


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "no run in iopf-runs has an events.bin; `iopf run` writes one"),
        (("nope",), "nope: cannot read: No such file or directory"),
        ((".",), '.: has no events.bin; a run with system.events = "none" writes none'),
        (("/dev/zero",), "/dev/zero: not an event log of this version"),
    ],
)
def test_a_missing_log_is_one_line(
    args: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["events", *args]) == Status.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"iopf: {says}")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(("option", "name"), [("--actor", "actor"), ("--device", "device")])
def test_an_unknown_name_is_refused(
    run: Path,
    option: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(run)
    assert main(["events", option, "dev-99"]) == Status.USAGE
    assert f"no {name} 'dev-99'; did you mean 'dev-00'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"actors": None}, "no 'actors' in the header"),
        ({"actors": [b"irq"]}, "'actors' in the header has an entry of a wrong type"),
        ({"devices": [None]}, "'devices' in the header has an entry of a wrong type"),
        ({"sites": {1: 2}}, "'sites' in the header has an entry of a wrong type"),
        ({"overwritten": {"irq": "all"}}, "'overwritten' in the header has an entry"),
        ({"overwritten": {1: 1}}, "'overwritten' in the header has a key that is no name"),
        ({"events": 0}, "events, its header says 0"),
        ({"format": 1}, "its format is 1, not 2"),
    ],
)
def test_a_header_of_wrong_types_is_one_line(
    run: Path,
    changed: dict[str, object],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "events.bin"
    file.write_bytes(_changed(run, changed))
    assert main(["events", str(file)]) == Status.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert f"{file}: not an event log of this version: " in err
    assert says in err


def _changed(run: Path, changed: Mapping[str, object]) -> bytes:
    """The log of the run with another header."""
    (log,) = run.glob("iopf-runs/*/events.bin")
    values = msgpack.Unpacker(strict_map_key=False)
    values.feed(log.read_bytes())
    header = {**next(values), **changed}
    return b"".join([msgpack.packb(header), *map(msgpack.packb, values)])


def test_names_in_a_log_cannot_write_to_the_terminal(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "x\x1b]0;y\x07\r\nverdict     PASS\u202e"
    file = tmp_path / "events.bin"
    headers = {"actors": [name] * 99, "devices": [name] * 9, "overwritten": {name: 1}}
    file.write_bytes(_changed(run, headers))
    assert main(["events", str(file)]) == Status.OK
    out, err = capsys.readouterr()
    assert "\\x1b]0;y\\x07\\x0d\\x0averdict     PASS\\u202e" in out
    for line in (out + err).split("\n"):
        assert line.isprintable(), line
        assert not line.startswith("verdict")


@pytest.mark.parametrize("counted", [True, False])
def test_a_cut_log_says_so(
    run: Path, counted: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inside an event, and between two: the second only the number in the header tells."""
    file = tmp_path / "events.bin"
    data = _changed(run, {} if counted else {"events": None})
    file.write_bytes(data)
    whole = len(read_log(file).events)
    assert read_log(file).cut == ""
    values = msgpack.Unpacker(strict_map_key=False)
    values.feed(data)
    next(values)
    ends = [values.tell() for _ in values]
    file.write_bytes(data[: ends[-1] - 1])
    assert main(["events", str(file)]) == Status.USAGE
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == whole - 1
    inside = f"{whole - 1} of {whole} events" if counted else f"inside event {whole - 1}"
    assert f"iopf: {file}: the log is cut" in err
    assert inside in err
    assert main(["events", str(file), "--json"]) == Status.USAGE
    assert inside in json.loads(capsys.readouterr().out)["cut"]
    file.write_bytes(data[: ends[2]])
    assert main(["events", str(file)]) == (Status.USAGE if counted else Status.OK)
    capsys.readouterr()
    file.write_bytes(data[:20])
    assert main(["events", str(file)]) == Status.USAGE
    assert "it is cut inside its header" in capsys.readouterr().err


@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_damage_anywhere_is_an_error_or_a_log(
    run: Path, noise: bytes, at: int, insert: bool
) -> None:
    (log,) = run.glob("iopf-runs/*/events.bin")
    data = log.read_bytes()
    file = run / "damaged.bin"
    file.write_bytes(data[:at] + noise + data[at + (0 if insert else len(noise)) :])
    try:
        found = read_log(file)
    except EventsError as error:
        assert "damaged.bin: " in str(error)
    else:
        for event in found.events:
            assert isinstance(event.line(), str)
        json.dumps(found.document())


def test_a_damaged_log_is_refused_whole(run: Path, tmp_path: Path) -> None:
    (log,) = run.glob("iopf-runs/*/events.bin")
    data = log.read_bytes()
    values = msgpack.Unpacker(strict_map_key=False)
    values.feed(data)
    header, row = next(values), next(values)
    rows = [
        row[:4],
        [*row[:2], 999, *row[3:]],
        [row[0], 99, *row[2:]],
        [*row[:4], 99 << 32],
        [*row[:4], -1],
        ["x", *row[1:]],
        5,
        {},
    ]
    bad = [b"", data[:3], b"\xc1" + data, data[1:]]
    bad += [msgpack.packb({**header, **other}) for other in ({"type": "result"}, {"devices": 3})]
    bad += [msgpack.packb(header) + msgpack.packb(each) for each in rows]
    file = tmp_path / "events.bin"
    for each in bad:
        file.write_bytes(each)
        with pytest.raises(EventsError, match="not an event log of this version"):
            read_log(file)
