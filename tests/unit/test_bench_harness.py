# SPDX-License-Identifier: MIT
"""The harness of `iopf bench`: teams of processes, rounds, ratios, tables, and the queue loops."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from iopf.tools.bench import harness, main, queues, report, transports
from iopf.tools.bench.harness import (
    Contender,
    Outcome,
    Plan,
    Sample,
    Series,
    Table,
    compared,
    interleave,
    ratio,
)
from iopf.tools.bench.team import TeamError, run_team


def worker(value: Any) -> Any:
    def steps() -> Generator[Any, None, None]:
        yield
        yield
        yield value

    return steps


def failing() -> Generator[Any, None, None]:
    yield
    raise ValueError("no reason")


def dying() -> Generator[Any, None, None]:
    yield
    yield
    os._exit(3)


def hanging() -> Generator[Any, None, None]:
    yield
    time.sleep(60)
    yield
    yield


def children() -> list[str]:
    """Of this process. A test before may have left the resource tracker of multiprocessing, which lives as long as the process."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


@pytest.fixture(autouse=True)
def _no_child_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() == before


def test_a_team_reports_in_order() -> None:
    reports = run_team([worker(["a", 1]), worker({"b": 2})])
    assert [each.value for each in reports] == [["a", 1], {"b": 2}]
    assert all(each.ended_ns >= each.began_ns > 0 for each in reports)


@pytest.mark.parametrize(
    ("bad", "message"), [(failing, "no reason"), (dying, "died"), (hanging, "took too long")]
)
def test_a_bad_member_ends_the_team(bad: Any, message: str) -> None:
    with pytest.raises(TeamError, match=message):
        run_team([worker(1), bad, worker(2)], timeout_s=1.0)


def test_rounds_are_interleaved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "core_rtt_ns", lambda: 100.0)
    turns: list[str] = []

    def contender(name: str, absent: str = "", fails: bool = False) -> Contender:
        def measure() -> Sample:
            turns.append(name)
            if fails:
                raise OSError("broken")
            return {"rate": float(len(turns))}

        return Contender(name, measure, absent)

    contenders = [contender("a"), contender("b", "not installed"), contender("c")]
    a, b, c, d = interleave([*contenders, contender("d", fails=True)], 3, "test")
    assert turns == ["a", "c", "d", "a", "c", "a", "c"]
    assert (a.status, b.status, c.status, d.status) == (
        "ok",
        "not installed",
        "ok",
        "failed: broken",
    )
    assert a.median("rate") == 4.0
    assert b.median("rate") is None
    assert a.samples[0]["core_rtt_ns"] == 100.0
    assert json.loads(json.dumps(a.document()))["median"] == {"rate": 4.0}


def test_ratios_are_taken_within_rounds() -> None:
    ours = Series("ours", samples=[{"r": 10.0}, {"r": 100.0}, {"r": 30.0}])
    theirs = Series("theirs", samples=[{"r": 5.0}, {"r": 50.0}, {"r": 10.0}])
    assert ratio(ours, theirs, "r") == 2.0
    assert ratio(ours, theirs, "r", inverse=True) == 0.5
    assert ratio(ours, Series("absent"), "r") is None


def test_tables_fit_100_columns() -> None:
    long = "x" * 90
    table = Table(
        long * 2, [long, "rate", "ratio"], [[long, "1.2 M", "3x"], ["b", "-", ""]], [long]
    )
    lines = report.plain(table)
    assert all(len(line) <= report.WIDTH for line in lines)
    assert "1.2 M" in lines[3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (report.rate(11_234_567), "11.2 M"),
        (report.rate(345_000), "345 k"),
        (report.rate(None), "-"),
        (report.times(1.234), "1.23x"),
        (report.times(123.4), "123x"),
        (report.duration(1500), "1.5 us"),
        (report.duration(2.5e9), "2.5 s"),
        (report.size(3 << 20), "3 MiB"),
    ],
)
def test_numbers_are_readable(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize(
    "kind", [transports.OurChannel, transports.StandardQueue, transports.RawPipe]
)
def test_queues_are_verified(kind: type[transports.Transport], batch: int) -> None:
    sample = queues._move(kind, 2, batch, 2 * queues.CYCLE)
    assert sample["records"] == 4 * queues.CYCLE
    assert sample["records_per_s"] > 0


def test_a_lost_record_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(transports.OurChannel):
        def sender(self, index: int) -> transports.Send:
            send = super().sender(index)
            seen: list[bytes] = []

            def changed(piece: bytes) -> None:
                seen.append(piece)
                send(bytes(64) if len(seen) == 100 else piece)

            return changed

    with pytest.raises(harness.ContenderError, match="damaged"):
        queues._move(Forgetful, 1, 1, queues.CYCLE)


def test_a_missing_library_is_reported() -> None:
    class Unknown(transports.Transport):
        module = "a_module_that_does_not_exist"

    assert Unknown.absent() == "not installed"
    assert transports.StandardQueue.absent() == ""


def test_main_refuses_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["queues"], False, 1, True, None) == 2
    assert "did you mean 'queue'?" in capsys.readouterr().err


def test_main_writes_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(plan: Plan) -> Outcome:
        assert plan == Plan(2, True)
        return Outcome([Table("t", ["a"], [["b"]])], {"results": []}, ["ours: lost one"])

    monkeypatch.setattr(queues, "run", run)
    target = tmp_path / "bench.json"
    assert main.main(["queue"], True, 2, True, target) == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document == json.loads(target.read_text())
    assert document["schema"] == "iopf/1"
    assert document["machine"]["cpus"] >= 1
    assert document["failures"] == ["queue: ours: lost one"]
    assert "ours: lost one" in err
    assert main.main(["queue"], False, 2, True, None) == 1
    assert "b" in capsys.readouterr().out


def test_the_documents_carry_the_ratios_of_the_table() -> None:
    ours, it = Series("ours", ours=True), Series("it")
    ours.samples = [
        {"rate": 30.0, "p50": 2.0},
        {"rate": 40.0, "p50": 2.0},
        {"rate": 90.0, "p50": 4.0},
    ]
    it.samples = [
        {"rate": 10.0, "p50": 8.0},
        {"rate": 10.0, "p50": 6.0},
        {"rate": 10.0, "p50": 8.0},
    ]
    first, second = compared([ours, it], "rate", "p50")
    assert "ours_to_it" not in first
    assert second["ours_to_it"] == {"rate": 4.0, "p50": 3.0}
