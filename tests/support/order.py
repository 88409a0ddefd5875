# SPDX-License-Identifier: MIT
"""A copy of the primitives in which every atomic instruction is a step (tests/probes/order/machine.h), and single lines of them can be
replaced.

The text of a mutant and the original stand side by side in the copy, `if machine_off(number)`, so that one build holds all mutants. The
copy is in build/order; the tree and its ordinary build are unchanged. A program runs in a process of its own, because a mutant may do
anything.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "order"
PROBES = Path("tests/probes/order")
MEMORIES = ("sc", "tso", "pso")  # enum of machine.h
MODULES = ("waits", "locks", "rings", "channels", "gates")
# The primitives' own modules; all others are used as the tree has them.
COMPILED = ("mutex", "work_ring", "channel_core")
# Functions of other modules, without the rest of these: file and functions.
TEXTS = (
    ("emulator/tenant/engine.pyx", ("gate_open", "may_pass", "gate_passable", "wait_for")),
    ("device_procs/pri.pyx", ("count_done",)),
    ("device_procs/responses.pyx", ("ring_gates",)),
    ("cython_ext/runqueue.pyx", ("give", "token", "await_token")),
)
# Bounds that only save time, and would multiply the states.
SETTINGS = {"cython_ext/mutex.pxd": (("LOCK_SPINS = 40 ", "LOCK_SPINS = 0 "),)}
_ADDED = """
    int machine_off(int number)
    bint store_instead(uint64_t *p, uint64_t v)
    bint store_instead32(uint32_t *p, uint32_t v)
"""
_RUNTIME = "libiopf_order.so"
_MOST_S = 60


class Mutant(NamedTuple):
    """A mistake: the line of a function that begins with `line` becomes `becomes` (empty: nothing; of an `if`: the condition)."""

    name: str
    file: str
    function: str
    line: str
    becomes: str
    seen: str = ""  # "module/program memory" that fails; empty: none does
    why: str = ""  # none does
    nth: int = 0  # which of several such lines, from 1; 0: there is one

    @property
    def module(self) -> str:
        return self.seen.partition("/")[0]


def function_lines(lines: Sequence[str], name: str) -> range:
    """Numbers of the lines of a top-level function's definition. Raises LookupError."""
    starts = [
        n
        for n, line in enumerate(lines)
        if re.match(rf"cdef [^=]*\b{name}\(", line) and not line.rstrip().endswith("nogil")
    ]
    if len(starts) != 1:
        raise LookupError(f"{len(starts)} definitions of {name}")
    end = starts[0] + 1
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" ")):
        end += 1
    return range(starts[0], end)


def _statement(lines: Sequence[str], at: int) -> int:
    """Number of the line after the statement that begins at `at`."""
    depth = 0
    while True:
        code = lines[at].split("  #")[0]
        depth += sum(map(code.count, "([")) - sum(map(code.count, ")]"))
        at += 1
        if depth == 0:
            return at


def place(lines: Sequence[str], mutant: Mutant) -> tuple[int, int]:
    """First line and line after the statement of a mutant. Raises LookupError unless there is exactly one."""
    found = [
        n
        for n in function_lines(lines, mutant.function)
        if lines[n].strip().startswith(mutant.line)
    ]
    if len(found) < mutant.nth or (not mutant.nth and len(found) != 1):
        raise LookupError(f"{mutant.name}: {len(found)} lines {mutant.line!r} in {mutant.function}")
    at = found[max(mutant.nth - 1, 0)]
    return at, _statement(lines, at)


def _both(statement: list[str], wanted: list[tuple[int, Mutant]]) -> list[str]:
    """The statement and what it becomes."""
    indent = statement[0][: len(statement[0]) - len(statement[0].lstrip())]
    code = " ".join(line.split("  #")[0].strip() for line in statement)
    header = re.match(r"(if|elif|while) (.*):$", code)
    if header:
        condition = f"({header[2]})"
        for number, mutant in wanted:
            condition = (
                f"(<bint>({mutant.becomes}) if machine_off({number}) else <bint>{condition})"
            )
        return [f"{indent}{header[1]} {condition}:"]
    made: list[str] = []
    for number, mutant in wanted:
        word = "elif" if made else "if"
        made.append(f"{indent}{word} machine_off({number}): {mutant.becomes or 'pass'}")
    return [*made, f"{indent}else:", *(f"    {line}" for line in statement)]


def mutated(text: str, mutants: Iterable[tuple[int, Mutant]]) -> str:
    """The text with all these mutants beside the original."""
    lines = text.split("\n")
    places: dict[tuple[int, int], list[tuple[int, Mutant]]] = {}
    for number, mutant in mutants:
        places.setdefault(place(lines, mutant), []).append((number, mutant))
    for start, end in sorted(places, reverse=True):
        lines[start:end] = _both(lines[start:end], places[start, end])
    return "\n".join(lines)


def copied(file: str, mutants: Sequence[Mutant]) -> str:
    """A source of the tree as the copy has it."""
    text = (ROOT / file).read_text()
    for old, new in SETTINGS.get(file, ()):
        if text.count(old) != 1:
            raise LookupError(f"{file}: no line {old!r}")
        text = text.replace(old, new)
    return mutated(text, [(n, m) for n, m in enumerate(mutants, 1) if m.file == file])


def _contents(mutants: Sequence[Mutant]) -> dict[str, str]:
    """Path in the copy -> text."""
    made = {"tests/__init__.py": "", "tests/probes/__init__.py": "", f"{PROBES}/__init__.py": ""}
    for source in (ROOT / "cython_ext").iterdir():
        code = source.suffix == ".pyx" and source.stem in COMPILED
        if code or source.suffix in (".pxd", ".h", ".py"):
            file = f"cython_ext/{source.name}"
            made[f"iopf/{file}"] = copied(file, mutants)
    made["iopf/__init__.py"] = ""
    atomics = "iopf/cython_ext/atomics.pxd"
    made[atomics] = made[atomics].rstrip("\n") + _ADDED
    for source in (ROOT / PROBES).iterdir():
        if source.suffix in (".pxd", ".h", ".c", ".pyx"):
            made[f"{PROBES}/{source.name}"] = source.read_text()
    text = ["from libc.stdint cimport int64_t"]
    for file, functions in TEXTS:
        lines = copied(file, mutants).split("\n")
        text += [
            "\n".join(lines[n] for n in function_lines(lines, name)).rstrip() for name in functions
        ]
    made[f"{PROBES}/gate_text.pxi"] = "\n\n\n".join(text) + "\n"
    return made


def _run(*command: str) -> None:
    done = subprocess.run(
        command, cwd=COPY, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-2000:]}")


def _compile(source: str, wanted: str) -> None:
    module = (COPY / source).with_suffix(str(sysconfig.get_config_var("EXT_SUFFIX")))
    stamp, made = module.with_suffix(".stamp"), str((COPY / source).with_suffix(".c"))
    if module.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    _run(sys.executable, "-m", "cython", "-3", "--line-directives", "-I", ".", source, "-o", made)
    flags = ["-O1", "-g", "-fPIC", "-shared", "-fno-strict-aliasing", "-w", "-fsanitize=thread"]
    include = ["-I", sysconfig.get_paths()["include"], "-I", ".", "-include", f"{PROBES}/machine.h"]
    objects = str(Path(made).with_suffix(".o"))
    _run("gcc", *[flag for flag in flags if flag != "-shared"], "-c", *include, made, "-o", objects)
    runtime = [f"-L{COPY}", f"-l:{_RUNTIME}", f"-Wl,-rpath,{COPY}"]
    _run("gcc", "-shared", objects, "-o", str(module), *runtime)
    stamp.write_text(wanted)


def build(mutants: Sequence[Mutant]) -> None:
    """Create or update the copy; concurrent calls wait. Raises LookupError for a mutant without a place, RuntimeError, OSError."""
    COPY.mkdir(parents=True, exist_ok=True)
    with (COPY / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        contents = _contents(mutants)
        wanted = hashlib.sha256(
            json.dumps([sys.version, sorted(contents.items()), Path(__file__).read_text()]).encode()
        ).hexdigest()
        stamp = COPY / "stamp"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        for file, text in contents.items():
            path = COPY / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
        suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
        shutil.copy2(ROOT / f"cython_ext/crew{suffix}", COPY / f"iopf/cython_ext/crew{suffix}")
        _run(
            "gcc",
            "-O2",
            "-g",
            "-fPIC",
            "-shared",
            "-w",
            "-I",
            ".",
            f"{PROBES}/machine.c",
            "-o",
            _RUNTIME,
        )
        sources = [f"iopf/cython_ext/{name}.pyx" for name in COMPILED]
        sources += [f"{PROBES}/{name}.pyx" for name in MODULES]
        declared = _digest(contents, (".pxd", ".h", ".pxi"))
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(
                pool.map(
                    lambda s: _compile(s, declared + _digest({s: contents[s]}, (".pyx",))), sources
                )
            )
        stamp.write_text(wanted)


def _digest(contents: Mapping[str, str], suffixes: tuple[str, ...]) -> str:
    texts = sorted((file, text) for file, text in contents.items() if file.endswith(suffixes))
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


_PLAY = """import importlib, json, sys
for line in sys.argv[1:]:
    module, *asked = json.loads(line)
    print(json.dumps(importlib.import_module(f"tests.probes.order.{module}").explore(*asked)), flush=True)
"""


def programs() -> list[str]:
    """`module/program` of all programs."""
    return [
        f"{module}/{name}"
        for module in MODULES
        for name in re.findall(
            r'= program\(b"([\w ]+)"', (ROOT / PROBES / f"{module}.pyx").read_text()
        )
    ]


def explore(
    plays: Sequence[tuple[str, str]],
    *,
    mutant: int = 0,
    most: int = 6_000_000,
    preemptions: int = -1,
) -> list[dict[str, Any]]:
    """Visit the states of programs, (`module/program`, memory) each, at most `most`. A crash is a failure of that program."""
    asked = []
    for program, memory in plays:
        module, _, name = program.partition("/")
        asked.append(json.dumps([module, name, MEMORIES.index(memory), mutant, most, preemptions]))
    done = subprocess.run(
        [sys.executable, "-c", _PLAY, *asked],
        cwd=COPY,
        env={**os.environ, "PYTHONPATH": str(COPY)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_MOST_S,
    )
    results: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode > 0 or None in results:
        raise RuntimeError(done.stderr.strip() or f"no such program in {plays}")
    if done.returncode < 0:
        results.append({"failure": f"signal {-done.returncode}", "complete": False, "trace": []})
    return results
