# SPDX-License-Identifier: MIT
"""Shipped scenarios and traces, by name."""

from __future__ import annotations

from pathlib import Path

from iopf.emulator.scenario.errors import ScenarioError, did_you_mean

_SCENARIOS = Path(__file__).parent / "library"
_TRACES = Path(__file__).parent.parent / "trace" / "data"
_TRACE_SUFFIX = ".ftrace.xz"


def scenario_names() -> list[str]:
    """The shipped scenarios, sorted."""
    return sorted(path.stem for path in _SCENARIOS.glob("*.toml"))


def trace_names() -> list[str]:
    """The shipped traces, sorted."""
    return sorted(path.name.removesuffix(_TRACE_SUFFIX) for path in _TRACES.glob("*.ftrace.xz"))


def scenario_path(name: str) -> Path:
    """The file of a user's argument: a path, or the name of a shipped scenario.

    Anything with a slash or the suffix .toml is a path. For a bare name, shipped scenarios take precedence, so that a stray file does not
    change `iopf run quickstart`.
    """
    if "/" in name or name.endswith(".toml"):
        return Path(name)
    if name in scenario_names():
        return _SCENARIOS / f"{name}.toml"
    if name and "\0" not in name and Path(name).is_file():
        return Path(name)
    names = scenario_names()
    hint = did_you_mean(name, names) or f"; shipped are {', '.join(names)}"
    raise ScenarioError([f"no scenario named '{name}'{hint}"])


def label(path: Path) -> str:
    """The name of a scenario file in messages and `iopf show`."""
    if path.parent == _SCENARIOS:
        return f"{path.stem} (shipped)"
    return str(path)


def trace_path(entry: str) -> Path:
    """The file of an entry of trace.files other than `-`: a shipped name, or a path."""
    if entry in trace_names():
        return _TRACES / f"{entry}{_TRACE_SUFFIX}"
    return Path(entry)
