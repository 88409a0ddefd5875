# SPDX-License-Identifier: MIT
"""Small TOML files that would take much memory or time are refused before they are parsed."""

from __future__ import annotations

import time
import tomllib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iopf.emulator.scenario import toml_size
from iopf.emulator.scenario.errors import PROBLEMS_MAX, ScenarioError
from iopf.emulator.scenario.load import read_toml
from iopf.emulator.scenario.resolution import resolve
from iopf.emulator.scenario.toml_size import NAMES_MAX, PARTS_MAX, excess

KEY = "not a scenario: a key of more than 8 names"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (".".join("a" * 40_000) + " = 1", KEY),
        ("x = {" + " . ".join("a" * 40_000) + " = 1}", KEY),
        ("[a" + '."a"' * 19_000 + "]", KEY),
        ("[" + "'a' .\t" * 20_000 + "a]", KEY),
        ("".join(f"[a{n}]\n" for n in range(50_000)), "50000 tables, lists and dots in keys"),
        ("".join(f"a{n}.b.c.d = 1\n" for n in range(10_000)), "tables, lists and dots in keys"),
        ("x = [" + "{}," * 60_000 + "]", "tables, lists and dots in keys"),
        ("x = [" + "[]," * 60_000 + "]", "tables, lists and dots in keys"),
    ],
)
def test_a_bomb_is_refused_in_one_line_and_little_memory(
    text: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.toml"
    path.write_text("schema = 1\n" + text)
    tracemalloc.start()
    try:
        with pytest.raises(ScenarioError) as caught:
            read_toml(path)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    (line,) = caught.value.lines
    assert says in line


def test_what_is_allowed_stays_small(tmp_path: Path) -> None:
    """The worst text within the bounds: many keys of many names."""
    names = ".".join("bcdefg")
    text = "".join(f"a{n}.{names} = 1\n" for n in range(PARTS_MAX // 6))
    assert excess(text) == ""
    path = tmp_path / "large.toml"
    path.write_text(text)
    tracemalloc.start()
    try:
        read_toml(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_text_in_strings_and_comments_does_not_count() -> None:
    dots = "a." * 30_000
    for text in (
        f"# {dots}",
        f'x = "{dots}"',
        f"x = '{dots}'",
        f'x = """{dots}\n"" {dots}"""',
        f"x = '''{dots}\n{dots}'''",
        f'x = "\\"{dots}"',
    ):
        assert excess(text) == "", text[:20]


def test_the_time_is_linear_in_the_text() -> None:
    size = 1 << 20
    before = time.process_time()
    for piece in ('"', "'", '\\"', '"""\\"', "'''", "a", "a.", "a ", '"a".', "#", "# \n", "\\"):
        excess(piece * (size // len(piece)))
    assert time.process_time() - before < 20


words = st.sampled_from(["a", '"b.c"', "'d'", "e-f", "1"])
keys = st.lists(words, min_size=1, max_size=12).map(".".join)
values = st.sampled_from(['"x.y.z"', "'''a.b'''", "[1.5, 2]", "1979-05-27", "{a.b = 1}", "1.5"])
lines = st.one_of(st.tuples(keys, values).map(" = ".join), keys.map("[{}]".format))


@given(st.lists(lines, max_size=6).map("\n".join))
def test_only_long_keys_are_refused(text: str) -> None:
    """Compared with the parser: what it reads has no key of more names than allowed exactly if nothing is in excess."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    longest = max((line.split(" = ")[0].strip("[]").replace('"b.c"', "b").count(".") + 1
                   for line in text.splitlines()), default=0)  # fmt: skip
    assert data is not None
    assert (excess(text) != "") == (longest > NAMES_MAX)


@given(st.text(st.sampled_from("\"'\\\n#.[]{}= a1"), max_size=60))
def test_any_text_is_judged(text: str) -> None:
    assert isinstance(excess(text), str)
    assert len(toml_size._HIDDEN.sub("", text)) <= len(text)


def test_the_problems_of_a_damaged_file_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "many.toml"
    path.write_text("schema = 1\n" + "".join(f"a{n} = 1\n" for n in range(50_000)))
    with pytest.raises(ScenarioError) as caught:
        resolve(str(path), environ={})
    assert len(caught.value.lines) == PROBLEMS_MAX + 1
    assert caught.value.lines[-1].endswith("more than 100 problems; correct these first")
    ops = ", ".join(['"x"'] * 4000)
    path.write_text(f"schema = 1\n[[program]]\nops = [{ops}]\n")
    with pytest.raises(ScenarioError) as caught:
        resolve(str(path), environ={})
    assert len(caught.value.lines) == PROBLEMS_MAX + 1
