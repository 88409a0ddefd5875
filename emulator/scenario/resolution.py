"""Puts the layers of a scenario together and remembers where each value came from.

Order of precedence: command-line flag > --set > scenario file (over what it extends) > the user's
config.toml > default. Tables are merged key by key; a list of [[device]], [[tenant]] or [[program]] entries
replaces the list of the layer below as a whole, because entry 1 of one file has nothing to do with
entry 1 of another.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from iopf.emulator.scenario import crosscheck, paths, shipped
from iopf.emulator.scenario.convert import check_document, check_value
from iopf.emulator.scenario.errors import Problem, ScenarioError, worst_status
from iopf.emulator.scenario.load import Layer, load_chain, settle_traces, user_config
from iopf.emulator.scenario.schema import LISTS, SCHEMA, Scenario
from iopf.emulator.spec.kernels import generation_of

DEFAULT = "default"
CLOCK = "clock"
_GENERATION = ("kernel", ("generation",))

# Option name and value, as the command line hands them over: path -> (value, "--prq").
Flags = Mapping[str, tuple[Any, str]]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A checked scenario. `values` and `sources` have one entry per path, in schema order."""

    scenario: Scenario
    name: str
    values: dict[str, Any]
    sources: dict[str, str]
    notes: list[str]

    @property
    def seed(self) -> int:
        """The seed of the run. Never None: an unset seed was drawn from the clock."""
        seed = self.scenario.system.seed
        assert seed is not None, "resolve() always fills the seed"
        return seed

    def document(self) -> dict[str, Any]:
        """The scenario as plain tables without unset fields, as TOML and JSON want it."""
        document = _without_none(msgspec.to_builtins(self.scenario))
        assert isinstance(document, dict)
        return document

    def to_toml(self) -> str:
        """The text of scenario.resolved.toml. Reading it gives the same scenario again."""
        import tomli_w

        return tomli_w.dumps(self.document())


@dataclass(slots=True)
class _Merge:
    """The document so far, and the source of each path that is not a default."""

    document: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    kernel_note: str = ""  # what the value of kernel.generation stands for
    lines: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def complain(self, problem: Problem, where: str) -> None:
        self.lines.append(problem.line(where))
        self.statuses.append(problem.status)

    def complain_all(self, error: ScenarioError, where: str) -> None:
        self.lines += [f"{where}: {line}" for line in error.lines]
        self.statuses.append(error.status)

    def stop_if_wrong(self) -> None:
        if self.lines:
            raise ScenarioError(self.lines, worst_status(self.statuses))


def resolve(
    name: str | None,
    sets: Sequence[str] = (),
    flags: Flags | None = None,
    environ: Mapping[str, str] | None = None,
    made: Layer | None = None,
) -> Resolved:
    """The scenario to run. `name` is a shipped name, a path, or None for the defaults alone; `made` is a document that a
    command has made itself, and comes on top of it.

    Raises ScenarioError with every problem that was found, one line each.
    """
    merge = _Merge()
    for layer in _layers(name, os.environ if environ is None else environ, merge):
        _add_layer(merge, layer)
    if made is not None:
        _add_layer(merge, made)
    merge.stop_if_wrong()
    for text in sets:
        _add_set(merge, text)
    for path, (value, flag) in (flags or {}).items():
        _add_flag(merge, path, value, flag)
    merge.stop_if_wrong()
    return _finish(merge, "defaults" if name is None else name)


def _layers(name: str | None, environ: Mapping[str, str], merge: _Merge) -> list[Layer]:
    """The files to read, lowest precedence first. Both sources are tried before giving up."""
    layers: list[Layer] = []
    try:
        layers += user_config(environ)
    except ScenarioError as error:
        merge.lines += error.lines
        merge.statuses.append(error.status)
    if name is not None:
        try:
            layers += load_chain(shipped.scenario_path(name))
        except ScenarioError as error:
            merge.lines += error.lines
            merge.statuses.append(error.status)
    return layers


def _add_layer(merge: _Merge, layer: Layer) -> None:
    document = copy.deepcopy(layer.data)
    kernel = document.get("kernel")
    found = list(layer.problems)
    if isinstance(kernel, dict) and "generation" in kernel:
        try:
            kernel["generation"] = _generation(merge, kernel["generation"])
        except ScenarioError as error:
            merge.complain_all(error, layer.label)
            del kernel["generation"]
    found += check_document(document)
    for problem in found:
        merge.complain(problem, layer.label)
    if found:
        return
    data = {key: value for key, value in document.items() if key not in ("schema", "extends")}
    for section in data.keys() & LISTS.keys():
        merge.document.pop(section, None)
        merge.sources = {
            path: source
            for path, source in merge.sources.items()
            if not path.startswith(f"{section}[")
        }
    _merge_tables(merge.document, data)
    merge.sources.update((path, layer.label) for path, _ in paths.leaves(data))


def _generation(merge: _Merge, value: Any) -> Any:
    """A kernel version as the generation that it stands for. What is no text is left to the schema."""
    if not isinstance(value, str):
        return value
    try:
        name, merge.kernel_note = generation_of(value)
    except ValueError as error:
        raise ScenarioError([f"kernel.generation: {error}"]) from None
    return name


def _merge_tables(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict):
            _merge_tables(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _add_set(merge: _Merge, text: str) -> None:
    option = f"--set {text}"
    target, equals, raw = text.partition("=")
    if not equals:
        merge.complain(Problem("", "write path=value, like system.seed=7"), option)
        return
    try:
        path, annotation = paths.parse(target.strip())
        text = raw.strip()
        if (path.section, path.keys) == _GENERATION:
            text = str(_generation(merge, text.strip("\"'")))
        value = paths.parse_value(text, annotation, str(path))
        _write(merge, path, value, option)
    except ScenarioError as error:
        merge.complain_all(error, option)


def _add_flag(merge: _Merge, target: str, value: Any, flag: str) -> None:
    path, annotation = paths.parse(target)
    if (path.section, path.keys) == _GENERATION:
        try:
            value = _generation(merge, value)
        except ScenarioError as error:
            merge.complain_all(error, flag)
            return
    found = list(check_value(value, annotation, str(path)))
    for problem in found:
        merge.complain(problem, flag)
    if found:
        return
    entries = len(merge.document.get(path.section, [{}])) if path.section in LISTS else 1
    if path.keys == ("count",) and path.index is None and entries > 1:
        text = f"the scenario has {entries} [[{path.section}]] entries, so this is ambiguous; use"
        merge.complain(Problem("", f"{text} --set {path.section}[0].count={value}"), flag)
        return
    _write(merge, path, value, flag)


def _write(merge: _Merge, path: paths.FieldPath, value: Any, source: str) -> None:
    """Writes one value. Trace files given here are relative to the current directory."""
    if (path.section, path.keys) == ("trace", ("files",)):
        holder = {"trace": {"files": list(value)}}
        for problem in settle_traces(holder, Path.cwd()):
            merge.complain(problem, source)
        value = holder["trace"]["files"]
    for place in paths.assign(merge.document, path, value):
        merge.sources[place] = source


def _finish(merge: _Merge, name: str) -> Resolved:
    system = merge.document.setdefault("system", {})
    if "seed" not in system:
        # Short enough to be typed again, and different for runs started a microsecond apart.
        system["seed"] = (time.time_ns() // 1000) % 2**32
        merge.sources["system.seed"] = CLOCK
    document = {"schema": SCHEMA, **merge.document}
    scenario = msgspec.convert(document, Scenario)
    for problem in crosscheck.problems(scenario):
        merge.complain(problem, _origin(problem.path, merge.sources, name))
    merge.stop_if_wrong()
    values = dict(paths.leaves(msgspec.to_builtins(scenario)))
    sources = {path: merge.sources.get(path, DEFAULT) for path in values}
    notes = [merge.kernel_note] if merge.kernel_note else []
    notes += crosscheck.notes(scenario, merge.sources)
    return Resolved(scenario, name, values, sources, notes)


def _origin(path: str, sources: Mapping[str, str], name: str) -> str:
    """The file or option to name in a line about `path`; the scenario when it is a default."""
    parents = [path, path.rsplit("[", 1)[0]]
    return next((sources[each] for each in parents if each in sources), name)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_none(each) for each in value]
    return value
