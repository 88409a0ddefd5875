# SPDX-License-Identifier: MIT
"""Recorded results of the kernel's own text: the model gives the same, and a difference or a wrong file is told."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from iopf.emulator.check.golden import compare, histories
from iopf.emulator.check.model.stepwise import STOP, play
from iopf.tools.cli.main import cli
from iopf.tools.status import Status

RECORDED = Path(__file__).with_name("data") / "golden.jsonl.xz"
SUCCESS, INVALID = 0, 1


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(cli, ["kernel", "compare", *map(str, args)], standalone_mode=False)


def records() -> list[dict[str, Any]]:
    with lzma.open(RECORDED, "rt") as opened:
        return [json.loads(line) for line in opened]


def test_the_model_gives_what_the_kernel_gave() -> None:
    generations: dict[str, int] = {}
    for history in histories(RECORDED):
        assert compare(history) is None, (history.gen, history.seed)
        generations[history.gen] = generations.get(history.gen, 0) + 1
    assert set(generations) == {"v5.13", "v6.2", "v6.9", "v6.11", "v6.14", "v7.2"}
    assert min(generations.values()) == 100


def test_the_command_counts_them() -> None:
    done = run("--golden", RECORDED)
    assert done.return_value == Status.OK, done.output
    assert done.output.splitlines()[0] == "v5.13: 100 histories, 0 differ"


def _other_result(step: dict[str, Any]) -> None:
    step["ret"] = -77


def _other_code(step: dict[str, Any]) -> None:
    step["answers"][0][3] ^= 1


def _order(step: dict[str, Any]) -> None:
    step["answers"].append([7, 7, 7, SUCCESS, True])


def _page(step: dict[str, Any]) -> None:
    step["handled"].append([1, 99])


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (_other_result, "report: result"),
        (_other_code, "report: answers"),
        (_order, "report: answers"),
        (_page, "report: pages"),
    ],
)
def test_a_difference_is_told(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], kind: str
) -> None:
    record = records()[0]
    step = next(each for each in record["steps"] if each["answers"])
    change(step)
    file = tmp_path / "changed.jsonl"
    file.write_text(json.dumps(record))
    done = run("--golden", file)
    assert done.return_value == Status.FAILED
    assert f"1  {kind}" in done.output
    assert f"  {step['op']}\n  kernel " in done.output
    document = json.loads(run("--golden", file, "--json").output)
    assert document["v5.13"]["kinds"] == {kind: 1}
    assert document["v5.13"]["first"][kind]["program"][-1] == step["op"]


def test_a_process_dies_before_its_bindings() -> None:
    lines = ["map t0 4", "bind d0 t0", "mm-dies t0", "report d0 pasid=1 prgi=100 at=1"]
    assert play(lines, "v7.2")[-1].answers == ((0, 1, 100, INVALID, True),)
    assert play(lines[:2] + lines[3:], "v7.2")[-1].answers == ((0, 1, 100, SUCCESS, True),)


def test_a_line_that_stops_the_kernel_ends_both() -> None:
    stopped = [
        each for each in histories(RECORDED) if each.recorded(len(each.steps) - 1).result == STOP
    ]
    assert stopped
    assert all(play(each.lines, each.gen)[-1].result == STOP for each in stopped)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b"", "a.jsonl: empty"),
        ("a.jsonl", b"{}\n", "a.jsonl:1: not a recorded history"),
        ("a.jsonl", b'{"gen":"v9","steps":[],"left":null,"seed":1}', "no generation 'v9'"),
        ("a.jsonl.xz", b"text", "a.jsonl.xz: not an .xz file"),
        ("a.jsonl", b"\xff\xfe\n", "a.jsonl:1: not a recorded history"),
        (
            "a.jsonl",
            b'{"gen":"v7.2","steps":[{"op":"jump","ret":0,"answers":[],"handled":[]}],"left":null,"seed":1}',
            "'jump' is not an operation",
        ),
        (
            "a.jsonl",
            b'{"gen":"v7.2","steps":[{"op":"mm-dies x","ret":0,"answers":[],"handled":[]}],"left":null,"seed":1}',
            "a.jsonl:1: ",
        ),
        ("missing", None, "missing: cannot read: No such file"),
    ],
)
def test_a_wrong_file_is_one_line(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    done = run("--golden", file)
    assert says in str(done.exception), done.output
    assert "\n" not in str(done.exception)


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl.xz"
    file.write_bytes(RECORDED.read_bytes()[:-2000])
    done = run("--golden", file)
    assert "cut off behind line" in str(done.exception)
