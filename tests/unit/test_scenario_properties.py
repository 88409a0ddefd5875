# SPDX-License-Identifier: MIT
"""Random scenarios: valid ones survive writing and reading, broken ones never crash."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from iopf.emulator.scenario import crosscheck
from iopf.emulator.scenario.convert import choices, field_types, metas, nested_table
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.scenario.resolution import resolve
from iopf.emulator.scenario.schema import LISTS, SCHEMA, TABLES, Scenario, Section
from iopf.emulator.scenario.shipped import scenario_names, scenario_path
from msgspec import Meta

NAMES = st.sampled_from(["a", "b", "gpu", "nic-1"])
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "name": NAMES,
    "tenant": NAMES,
    "bind": st.just("all") | st.lists(NAMES, max_size=3),
    "ops": st.lists(
        st.sampled_from(["bind d0 t0", "map t0 4", "settle", "bnid", "repeat 2", "end"]), max_size=3
    ),
    "defects": st.lists(st.sampled_from(["remove-before-drain", "no-such-bug"]), max_size=2),
    "files": st.lists(st.sampled_from(["sqlite-index", "-"]), max_size=2),
}


def numbers(annotation: Any, meta: Meta) -> st.SearchStrategy[Any]:
    low, high = meta.ge, meta.le
    assert low is not None
    assert high is not None
    if (meta.extra or {}).get("power_of_two"):
        return st.sampled_from([1 << n for n in range(31) if low <= 1 << n <= high])
    if "float" in str(annotation):
        return st.floats(low, high)
    return st.integers(int(low), int(high))


def values(name: str, annotation: Any) -> st.SearchStrategy[Any]:
    """Values inside the bounds that the schema declares."""
    inner = nested_table(annotation)
    if inner is not None:
        return tables(inner)
    if name in SPECIAL:
        return SPECIAL[name]
    if get_origin(get_args(annotation)[0]) is list:
        words = choices(annotation)
        return st.lists(st.sampled_from(words), max_size=len(words))
    options: list[st.SearchStrategy[Any]] = []
    if words := choices(annotation):
        options.append(st.sampled_from(words))
    options += [numbers(annotation, meta) for meta in metas(annotation) if meta.ge is not None]
    return st.one_of(options) if options else st.booleans()


def tables(table: type[Section]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: values(name, annotation) for name, annotation in field_types(table).items()}
    return st.fixed_dictionaries({}, optional=fields)


DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        **{name: tables(table) for name, table in TABLES.items()},
        **{name: st.lists(tables(table), min_size=1, max_size=3) for name, table in LISTS.items()},
    },
).map(lambda sections: {"schema": SCHEMA, **sections})  # the version must come first


def resolve_text(text: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scenario.toml"
        file.write_text(text)
        return resolve(str(file), environ={})


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_what_the_schema_allows_is_refused_by_a_rule_or_comes_back_the_same(
    document: dict[str, Any],
) -> None:
    broken_rules = crosscheck.problems(msgspec.convert(document, Scenario))
    text = tomli_w.dumps(document)
    if broken_rules:
        with pytest.raises(ScenarioError) as caught:
            resolve_text(text)
        assert len(caught.value.lines) == len(broken_rules)
        return
    first = resolve_text(text)
    again = resolve_text(first.to_toml())
    assert again.scenario == first.scenario
    assert again.values == first.values


@pytest.mark.parametrize("name", scenario_names())
def test_shipped_scenarios_survive_being_resolved(name: str) -> None:
    first = resolve(name, environ={})
    assert resolve_text(first.to_toml()).scenario == first.scenario


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    keys = list(document) if isinstance(document, dict) else range(len(document))
    for key in keys:
        yield document, key
        if isinstance(document[key], dict | list):
            yield from places(document[key])


def without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_none(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_none(each) for each in value if each is not None]
    return value


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, JUNK, st.data())
def test_a_mutated_scenario_is_accepted_or_refused_but_never_crashes(
    document: dict[str, Any], junk: Any, data: st.DataObject
) -> None:
    container, key = data.draw(st.sampled_from(list(places(document))))
    container[key] = junk
    try:
        resolve_text(tomli_w.dumps(without_none(document)))
    except ScenarioError as error:
        assert all(line.isprintable() for line in error.lines)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([scenario_path(name).read_text() for name in scenario_names()]),
    st.integers(0, 2000),
    st.text(max_size=6),
)
def test_mutated_text_is_accepted_or_refused_but_never_crashes(
    text: str, position: int, noise: str
) -> None:
    try:
        resolve_text(text[:position] + noise + text[position + len(noise) :])
    except (ScenarioError, UnicodeEncodeError) as error:
        # Half of a surrogate pair cannot be encoded.
        assert isinstance(error, ScenarioError) or not noise.isprintable()


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"(system|device)(\[\d\])?\.\w{1,9}=.{0,9}"))
def test_set_is_accepted_or_refused_but_never_crashes(text: str) -> None:
    try:
        resolve(None, [text], environ={})
    except ScenarioError as error:
        assert all(line.isprintable() for line in error.lines)


def test_every_field_is_described_and_bounded() -> None:
    for table in (*TABLES.values(), *LISTS.values()):
        for name, annotation in field_types(table).items():
            found = list(metas(annotation))
            assert any(meta.description for meta in found), f"{table.__name__}.{name}"
            if int in get_args(annotation) or float in get_args(annotation):
                assert any(meta.ge is not None and meta.le is not None for meta in found), name
