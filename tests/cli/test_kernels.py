# SPDX-License-Identifier: MIT
"""iopf kernels: the table, one column, the difference of two, and JSON."""

from __future__ import annotations

import json
from itertools import product

import pytest
from iopf.emulator.check.fates import CELLS, EVENTS, Fate, cell
from iopf.emulator.check.history import AGES, steps
from iopf.emulator.check.violations import known_in
from iopf.emulator.spec.kernels import GENERATIONS, generation_of
from iopf.tools.cli.commands.help import page
from iopf.tools.cli.main import main
from iopf.tools.status import Status


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["kernels", *args]) == Status.OK
    return capsys.readouterr().out


def words(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


def test_the_table_has_every_event_and_note(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys)
    assert all(len(line) <= 100 for line in text.splitlines())
    for title in EVENTS.values():
        assert f"\n{title}\n" in text
    for each in CELLS:
        assert each.fate.value in text
        assert all(word in text for word in each.note.split())
    assert "v6.11..v7.2" in text


@pytest.mark.parametrize("name", GENERATIONS)
def test_one_generation_with_its_known_violations(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, name)
    assert all(len(line) <= 100 for line in text.splitlines())
    for event, title in EVENTS.items():
        following = words(text.split(f"\n{title}\n")[1])
        assert following.startswith(cell(event, name).fate.value)
    listed = text.split("Known violations")[1]
    slugs = {
        word for word in listed.split() if word in {s for n in GENERATIONS for s in known_in(n)}
    }
    assert slugs == set(known_in(name))


def test_two_generations_show_what_differs_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "v5.13", "v6.9")
    assert "answered FAILURE" in text
    assert EVENTS["overflow"] not in text, "an overflow has the same fate in both"
    assert "0095bf83554f" in text
    assert "no longer miss its match" in words(text)
    assert "cookie" not in text, "delivery to user space came later"
    assert printed(capsys, "v6.9", "v6.9").splitlines() == ["v6.9 to v6.9: 0 of 17 events differ"]


@pytest.mark.parametrize(("older", "newer"), list(product(GENERATIONS, repeat=2)))
def test_every_pair_agrees_with_the_table(
    older: str, newer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(printed(capsys, older, newer, "--json"))
    for event in EVENTS:
        a, b = cell(event, older), cell(event, newer)
        assert (event in document["differ"]) == ((a.fate, a.note) != (b.fate, b.note))
    assert set(document["steps"]) <= set(AGES)
    assert len(document["cells"]) == len(EVENTS) * len({older, newer})


def test_steps_between_generations() -> None:
    assert steps("v5.13", "v6.9") == ("v5.18", "v6.2", "v6.9")
    assert steps("v6.9", "v5.13") == ("v5.18", "v6.2", "v6.9")
    assert steps("v7.2", "gunthorpe") == ("gunthorpe",)
    assert steps("v6.2", "v6.2") == ()


def test_json_has_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(printed(capsys, "--json"))
    assert (document["schema"], document["type"]) == ("iopf/1", "kernels")
    assert len(document["cells"]) == len(EVENTS) * len(GENERATIONS)
    assert list(document["generations"]) == list(GENERATIONS)
    known = {each["known"] for each in document["cells"] if each["known"]}
    assert known <= document["known"].keys()


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["v5.12"], "v5.12 has no I/O page fault path; v5.13 is the first that does"),
        (["v6.9", "6"], "'6' is no kernel version; write one like v6.12"),
        (["v6.9", "v6.2", "v7.2"], "at most two"),
    ],
)
def test_an_unknown_generation_is_one_line(
    args: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kernels", *args]) == Status.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert hint in line


@pytest.mark.parametrize(
    ("version", "generation"),
    [
        ("v5.13", "v5.13"),
        ("v5.15", "v5.13"),
        ("5.17.15", "v5.13"),
        ("v5.18", "v5.18"),
        ("6.1.0-18-amd64", "v5.18"),
        ("6.8.0-31-generic", "v6.2"),
        ("v6.10", "v6.9"),
        ("v6.12", "v6.11"),
        ("6.14.0-rc1+", "v6.14"),
        ("v6.15", "v6.14"),
        ("v6.17", "v6.16"),
        ("6.18.43", "v6.16"),
        ("v6.18.44", "v7.2"),
        ("v7.0", "v6.16"),
        ("7.1.7", "v6.16"),
        ("7.1.8", "v7.2"),
        ("v7.3", "v7.2"),
        ("gunthorpe", "gunthorpe"),
    ],
)
def test_a_kernel_version_selects_a_generation(
    version: str, generation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generation_of(version)[0] == generation
    note = generation_of(version)[1]
    assert note.endswith(f" behaves as {generation} here (iopf help kernels)") or not note
    assert main(["kernels", version]) == Status.OK
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{generation}: ")
    assert captured.err == (f"{note}\n" if note else "")


def test_the_help_page_explains_every_word_and_generation() -> None:
    text = page("kernels")
    for fate in Fate:
        assert f"\n  {fate.value} " in text
    for name, age in AGES.items():
        assert f"\n  {name} " in text
        assert name == "gunthorpe" or age.kernels.split(" (")[0] in text
