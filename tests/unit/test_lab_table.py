# SPDX-License-Identifier: MIT
"""The table of a schedule: columns of actors, and complete names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from iopf.emulator.races.catalogue import catalogue
from iopf.emulator.spec.sites import Site
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.report.table import WIDTH, heads, rows
from iopf.tools.lab.report.where import Where

NAMES = st.text("ab:_ -", min_size=1, max_size=60).map(str.strip).filter(bool)


def columns(lines: list[str], column: int, count: int) -> list[str]:
    """The text of each column, read from the top."""
    return ["".join(line[at * column :][:column].strip() for line in lines) for at in range(count)]


@given(st.lists(NAMES, min_size=1, max_size=6), st.integers(14, 30))
def test_every_name_is_complete(names: list[str], column: int) -> None:
    found = columns(heads(names, column), column, len(names))
    assert [text.replace(" ", "") for text in found] == [name.replace(" ", "") for name in names]


def test_the_actors_of_every_race_have_distinct_headings() -> None:
    for race in catalogue().values():
        with lab_of(race, defective=True) as lab:
            slots = [slot for slot, name in enumerate(lab.names) if name]
            trace = [(slot, 0, 0, 0, 0) for slot in slots]
            names = [lab.names[slot] for slot in slots]
            table = list(rows(trace, lab.names, Where(lab.plan.config)))
        above = [row[4:] for row in table if row.startswith("    ") and "begin" not in row][:-1]
        found = columns(above, 14, len(names))
        assert [text.replace(" ", "") for text in found] == [n.replace(" ", "") for n in names]
        assert len(set(found)) == len(names), race.slug


POINT = int(Site.PUT_DEV_FAULT_PARAM) << 8
SEVEN = [(slot, POINT, 0, 0, 0) for slot in range(1, 8)]
NAMED = ["", *(f"somebody-with-a-name-{number}" for number in range(1, 8))]


def table_of_seven(width: int = WIDTH) -> list[str]:
    with lab_of(catalogue()["remove-before-drain"], defective=True) as lab:
        return list(rows(SEVEN, NAMED, Where(lab.plan.config), width))


def test_a_long_function_name_continues_on_the_next_line() -> None:
    last = table_of_seven()[-3:-1]
    assert [len(row) - len(row.lstrip()) for row in last] == [2, 4 + 6 * 14 + 1]
    assert "".join(row.split()[-1] for row in last) == "put_dev_fault_param"


def test_a_wider_terminal_makes_columns_wider_until_names_fit() -> None:
    narrow, wide, wider = (table_of_seven(width) for width in (98, 200, 900))
    assert narrow[0].split()[0] != NAMED[1]
    assert wide[0].split() == NAMED[1:]
    assert wider == wide
