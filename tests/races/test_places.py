# SPDX-License-Identifier: MIT
"""Names of schedule files: unique for every test and call, whatever the test's name."""

from __future__ import annotations

import itertools

import pytest
from iopf.tools.lab.pytest.places import file_name

IDS = [
    "test_it.py::test_x",
    "test_it.py::Test::test_x",
    "a/test_it.py::test_x",
    "a-test_it.py::test_x",
    "a/b-test_it.py::test_x",
    "a-b/test_it.py::test_x",
    "test_it.py::test_x[2]",
    "test_it.py::test_x-2",
    "test_it.py::test_x.2",
    *(f"test_it.py::test_x[{text}]" for text in ("a/b", "a-b", "a b", "a::b", "ä", "\udc80", "")),
    *(f"test_it.py::test_x[{'x' * 300}{end}]" for end in "ab"),
    *(f"test_it.py::test_{'x' * 300}{end}" for end in "ab"),
    *(f"{'ä' * 300}/test_it.py::test_{end}" for end in "ab"),
]


def test_no_two_calls_have_the_same_file() -> None:
    names = [file_name(nodeid, call) for nodeid, call in itertools.product(IDS, (1, 2, 10))]
    assert len(set(names)) == len(names)
    assert max(len(name.encode()) for name in names) < 128


@pytest.mark.parametrize(
    ("nodeid", "call", "name"),
    [
        ("test_it.py::test_unbind", 1, "test_it.py-test_unbind.json"),
        ("test_it.py::test_unbind", 2, "test_it.py-test_unbind.2.json"),
        ("tests/test_it.py::TestIt::test_x", 1, "tests-test_it.py-TestIt-test_x.json"),
        ("test_it.py::test_x[a b]", 1, "test_it.py-test_x-a-b.6b6b9b84.json"),
    ],
)
def test_the_file_name_identifies_the_test(nodeid: str, call: int, name: str) -> None:
    assert file_name(nodeid, call) == name
