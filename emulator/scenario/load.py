# SPDX-License-Identifier: MIT
"""Reads scenario files: TOML text to a plain document, and the chain behind `extends`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iopf.emulator.scenario import shipped
from iopf.emulator.scenario.errors import Problem, ScenarioError, did_you_mean
from iopf.emulator.scenario.toml_size import excess

# Larger files are not scenarios, but given by mistake. `toml_size` bounds what a file of this size can become.
FILE_BYTES_MAX = 1 << 20
EXTENDS_MAX = 8


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of values: its name in messages, and its document."""

    label: str
    data: dict[str, Any]
    problems: tuple[Problem, ...] = ()


def _refuse(label: str, text: str, path: str = "") -> ScenarioError:
    return ScenarioError([Problem(path, text).line(label)])


def read_toml(path: Path) -> dict[str, Any]:
    """Read the document of a file. Raises ScenarioError with one line."""
    label = shipped.label(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _refuse(label, f"cannot read the scenario: {reason or error}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise _refuse(label, f"larger than {FILE_BYTES_MAX} bytes: not a scenario")
    try:
        text = raw.decode("utf-8")
        problem = excess(text)
        if problem:
            raise _refuse(label, problem)
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        end = f"at line {len(raw.splitlines())}, the end of the file"
        where = str(error).replace("at end of document", end)
        raise _refuse(label, f"not valid TOML: {where}") from None
    except UnicodeDecodeError as error:
        raise _refuse(label, f"not UTF-8 text (byte {error.start})") from None
    except RecursionError:
        raise _refuse(label, "not a scenario: nested too deeply") from None
    except ValueError as error:  # int() raises for numbers with thousands of digits
        raise _refuse(label, f"not valid TOML: {error}") from None


def load_chain(path: Path) -> list[Layer]:
    """The file and everything it extends, base first, with trace paths made absolute."""
    layers: list[Layer] = []
    seen: list[Path] = []
    current: Path | None = path
    while current is not None:
        label = shipped.label(current)
        real = Path(os.path.realpath(current))
        if real in seen:
            raise _refuse(label, "extends itself; remove the cycle", "extends")
        if len(seen) >= EXTENDS_MAX:
            raise _refuse(label, f"more than {EXTENDS_MAX} files in a chain", "extends")
        seen.append(real)
        data = read_toml(current)
        base = data.get("extends")
        if base is not None and (not isinstance(base, str) or not base or "\0" in base):
            raise _refuse(label, 'expected a file name, like "base.toml"', "extends")
        layers.append(Layer(label, data, tuple(settle_traces(data, real.parent))))
        current = current.parent / base if base is not None else None
    return layers[::-1]


def settle_traces(data: dict[str, Any], folder: Path) -> Iterator[Problem]:
    """Make relative paths in trace.files absolute, and yield the files that do not exist.

    The resolved scenario is stored in the run directory and must refer to the same files from there. Values of a wrong type are ignored:
    `convert` reports them.
    """
    trace = data.get("trace")
    files = trace.get("files") if isinstance(trace, dict) else None
    if not isinstance(files, list):
        return
    names = shipped.trace_names()
    for index, entry in enumerate(files):
        if not isinstance(entry, str) or entry == "-" or entry in names:
            continue
        if not _is_utf8(folder / entry):
            text = f"the name of '{entry}' is not UTF-8, as TOML has to be; rename the file"
            yield Problem(f"trace.files[{index}]", text)
        elif _is_there(folder, entry):
            files[index] = str(folder / entry)
        else:
            hint = did_you_mean(entry, names) or f"; shipped are {', '.join(names)}"
            yield Problem(f"trace.files[{index}]", f"no trace file '{entry}'{hint}")


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_there(folder: Path, entry: str) -> bool:
    """Whether the entry is a readable trace. A pipe is valid, a directory is not."""
    if not entry or "\0" in entry:
        return False
    try:
        return (folder / entry).exists() and not (folder / entry).is_dir()
    except OSError:  # a name longer than the file system allows
        return False


def user_config(environ: Mapping[str, str]) -> list[Layer]:
    """The user's defaults, if any: $XDG_CONFIG_HOME/iopf/config.toml."""
    home = environ.get("XDG_CONFIG_HOME") or (
        os.path.join(environ["HOME"], ".config") if environ.get("HOME") else ""
    )
    # The XDG specification requires to ignore relative paths in its variables.
    path = Path(home) / "iopf" / "config.toml"
    if not path.is_absolute() or not path.is_file():
        return []
    return load_chain(path)
