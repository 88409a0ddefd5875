# SPDX-License-Identifier: MIT
"""`iopf events --request`: what became of one request, whichever process recorded it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from iopf.tools.cli.main import main
from iopf.tools.cli.pager import pager_command
from iopf.tools.status import Status
from iopf.tools.watch.events import read_log
from iopf.tools.watch.requests import fate_of

from tests.support.running import iopf
from tests.support.terminal import on_terminal

# Two groups in turn, one of them open between its sends: their requests do not have adjacent numbers.
IN_TURN = """
schema = 1
device = [{ credits = 8 }, {}]
[[program]]
ops = ["await d1"]
[[program]]
ops = ["map t0 8", "bind d0 t0", "send d0 t0 pages=1 group=a open", "send d0 t0 pages=2 group=b",
       "send d0 t0 pages=1 group=a at=4", "await d0", "unbind d0 t0",
       "send d0 t0 pages=1 group=c pasid=9 try", "await d0 group=c try"]
"""


EVERYTHING = ("--set", "system.events=all")


def log_of(directory: Path, text: str, *args: str) -> Path:
    (directory / "made.toml").write_text(text)
    done = iopf("run", "./made.toml", "--run-dir", "out", *args, cwd=directory)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    return directory / "out" / "events.bin"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return log_of(tmp_path_factory.mktemp("request"), IN_TURN, *EVERYTHING)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]


def test_all_processes_name_the_same_requests(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", str(log), "--request", "0", "--device", "dev-00"]) == Status.OK
    *found, last = lines(capsys)
    sent = [line for line in found if line.startswith("dev_send")]
    assert sent == [f"dev_send: dev=dev-00 request={number} prgi=0" for number in (0, 3)]
    assert "hw_interrupt: interrupts=1" in found
    assert [line for line in found if not line.startswith(("dev_send", "hw_interrupt"))] == [
        "hw_prq_write: dev=dev-00 request=0",
        "sva_iopf_handler: dev=dev-00 requests=0,3 count=2",
        "iopf_group_response: dev=dev-00 requests=0,3 code=SUCCESS",
        "qi_submit: dev=dev-00 requests=0,3 code=SUCCESS",
        "hw_respond: dev=dev-00 requests=0,3 code=SUCCESS",
        "dev_receive: dev=dev-00 requests=0,3 code=SUCCESS prgi=0",
    ]
    assert ", answered SUCCESS after " in last


def test_requests_of_a_workload_in_turn_keep_their_groups(tmp_path: Path) -> None:
    """With `interleave` the first requests of several groups are sent before the second ones."""
    sets = ("--set", "device.workload.interleave=4", "--set", "device.workload.groups=40")
    file = log_of(tmp_path, "schema = 1\n[[device]]\ngroup_pages = 3\n", *sets, *EVERYTHING)
    events = read_log(file).events
    ends = [event for event in events if event.event == "dev_receive"]
    assert len(ends) == 40
    sizes = {e.requests: e.fields["count"] for e in events if e.event == "sva_iopf_handler"}
    assert {end.requests for end in ends} == set(sizes)
    assert all(len(requests) == count for requests, count in sizes.items())
    assert any(len(each) > 1 and each[-1] - each[0] >= len(each) for each in sizes)


def test_a_request_that_the_tables_refuse(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", str(log), "--request", "4", "--json"]) == Status.OK
    document = json.loads(capsys.readouterr().out)
    (fate,) = document["fates"]
    assert fate["fates"] == ["INVALID by the hardware"]
    assert fate["code"] == "INVALID"
    assert "answered INVALID by the hardware after" in fate["text"]
    assert "hw_prq_write" not in [event["event"] for event in document["events"]]


def test_requests_lost_to_overflow_say_so(tmp_path: Path) -> None:
    records = ("--set", "system.event_records=1048576", "--set", "system.board_mib=65536")
    sets = ("--set", "device.workload.groups=400", *records, *EVERYTHING)
    done = iopf("run", "overflow", "--run-dir", "out", *sets, cwd=tmp_path)
    assert done.returncode == Status.OK, done.stderr
    log = read_log(tmp_path / "out" / "events.bin")
    account = json.loads((tmp_path / "out" / "result.json").read_text())["account"]
    lost = [e for e in log.events if str(e.fields.get("fate", "")).startswith("lost: overflow")]
    assert len(lost) == account["lost_total"] > 0
    text = fate_of(log.events, lost[0].device, lost[0].requests[0]).line()
    assert "lost: overflow" in text


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ("groups", {"dev_send", "sva_iopf_handler", "iopf_group_response", "dev_receive"}),
        ("none", None),
    ],
)
def test_what_is_not_recorded_is_not_there(
    events: str, found: set[str] | None, tmp_path: Path
) -> None:
    text = f'schema = 1\n[system]\nevents = "{events}"\n[[device]]\nworkload.groups = 4\n'
    file = log_of(tmp_path, text)
    if found is None:
        assert not file.exists()
    else:
        assert {event.event for event in read_log(file).events} == found | {
            "sva_bind",
            "sva_unbind",
        }


def test_a_request_without_events_is_one_line(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", str(log), "--request", "99", "--device", "dev-00"]) == Status.USAGE
    said = capsys.readouterr().err
    assert "no event of request 99 of dev-00: the log has requests 0 to 4" in said
    assert main(["events", str(log), "--request", "0", "--device", "dev-01"]) == Status.USAGE
    assert "no events of requests of dev-01" in capsys.readouterr().err


def test_the_last_fifty_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = log_of(tmp_path, "schema = 1\n[[device]]\nworkload.groups = 40\n")
    whole = len(read_log(file).events)
    for args, count in (((), 50), (("--all",), whole), (("--last", "0"), whole)):
        assert main(["events", str(file), *args]) == Status.OK
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == count
        assert ("--all prints all" in err) == (count < whole)
    assert main(["events", str(file), "--all", "--last", "3"]) == Status.USAGE
    assert "--all and --last N exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "command"),
    [
        ("cat", []),
        ("", []),
        ("no-such-pager-here -x", []),
        ("'open", []),
        ("head -n 3", ["head", "-n", "3"]),
    ],
)
def test_the_pager_is_that_of_the_environment(value: str, command: list[str]) -> None:
    assert pager_command({"PAGER": value}) == command


def test_a_terminal_gets_the_pager_and_its_end_is_no_error(log: Path, tmp_path: Path) -> None:
    """The pager ends after two lines, before it has read all."""
    args = ("events", str(log), "--all")
    status, text = on_terminal(*args, cwd=tmp_path, columns=200, environ={"PAGER": "head -n 2"})
    assert status == Status.OK
    *shown, comment = text.splitlines()
    assert [": dev=dev-00" in line for line in shown] == [True, True]
    assert comment.endswith(" events")
    status, text = on_terminal(*args, cwd=tmp_path, columns=200)
    assert text.count(": dev=dev-00") > 2
