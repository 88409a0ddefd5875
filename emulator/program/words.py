# SPDX-License-Identifier: MIT
"""Conversion of a word of a line to a value and back.

Every kind of word has a `Reader`: `read` raises LineError with a reason, `show` gives the canonical spelling, and `form` is the notation
of help pages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iopf.emulator.program.actors import LETTERS, Kind, Names
from iopf.emulator.program.errors import LineError
from iopf.emulator.scenario.errors import did_you_mean
from iopf.emulator.spec import classes
from iopf.emulator.spec import program as spec

Value = int | str

PROT_LETTERS = {"r": spec.FLAG_READ, "w": spec.FLAG_WRITE, "x": spec.FLAG_EXEC}
PERM_LETTERS = {**PROT_LETTERS, "p": spec.FLAG_PRIV}
POOLS = {
    "fault": classes.POOL_FAULT,
    "group": classes.POOL_GROUP,
    "param": classes.POOL_PARAM,
    "handle": classes.POOL_HANDLE,
    "domain": classes.POOL_DOMAIN,
    "mm": classes.POOL_MM,
    "table": classes.POOL_TABLE,
}
UNITS = {
    "irq": spec.HOLD_IRQ,
    "workers": spec.HOLD_WORKERS,
    "copies": spec.HOLD_COPIES,
    "all": spec.HOLD_IRQ | spec.HOLD_WORKERS,
}
DOMAINS = {
    "blocking": spec.DOMAIN_BLOCKING,
    "identity": spec.DOMAIN_IDENTITY,
    "paging": spec.DOMAIN_PAGING,
    "fault": spec.DOMAIN_FAULT,
}
# Response codes of PCIe (ATS 1.1, 4.2.1) as Linux names them: IOMMU_PAGE_RESP_*.
CODES = {"success": 0, "invalid": 1, "failure": 15}
NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}

PAUSE_MAX_NS = 60 * 10**9
PAGES_MAX = 1 << 30
AT_MAX = (1 << 44) - 1  # 56 bits of address stay canonical for every kind of page table


@dataclass(frozen=True, slots=True)
class Reader:
    """One kind of word."""

    form: str
    read: Callable[[str, Names], Value]
    show: Callable[[Value], str] = str


_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,16}|[0-9]{1,18}", re.ASCII)
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,31}", re.ASCII)
_TIME = re.compile(r"(?P<number>[0-9]{1,12})(?P<unit>ns|us|ms|s)", re.ASCII)


def number(low: int, high: int, form: str = "N") -> Reader:
    """Integers in low..high, decimal or 0x."""

    def read(word: str, _names: Names) -> int:
        if not _NUMBER.fullmatch(word):
            raise LineError(f"expected a number, got '{word}'")
        value = int(word, 16 if word.startswith("0x") else 10)
        if not low <= value <= high:
            raise LineError(f"{word} is out of range; expected {low} to {high}")
        return value

    return Reader(form, read)


def one_of(words: Mapping[str, int], form: str | None = None) -> Reader:
    """One of several words, each with a number."""
    spelled = {value: word for word, value in words.items()}

    def read(word: str, _names: Names) -> int:
        if word not in words:
            listed = ", ".join(words)
            raise LineError(f"'{word}' is not one of {listed}{did_you_mean(word, words)}")
        return words[word]

    return Reader(form or "|".join(words), read, lambda value: spelled[int(value)])


def letters(table: Mapping[str, int], form: str) -> Reader:
    """Letters that stand for bits, like `rw`."""

    def read(word: str, _names: Names) -> int:
        if not word or set(word) - table.keys() or len(set(word)) != len(word):
            raise LineError(f"expected letters of '{''.join(table)}', got '{word}'")
        return sum(table[letter] for letter in word)

    def show(value: Value) -> str:
        return "".join(letter for letter, bit in table.items() if int(value) & bit)

    return Reader(form, read, show)


def called(kind: Kind) -> Reader:
    """The name of a device or tenant; the value is its number."""
    letter = LETTERS[kind]
    return Reader(
        letter.upper(), lambda word, names: names.find(kind, word), lambda v: f"{letter}{v}"
    )


def _read_fault(word: str, _names: Names) -> int:
    if re.fullmatch(r"f[0-9]{1,3}", word, re.ASCII) and int(word[1:]) < spec.FAULT_OBJECTS:
        return int(word[1:])
    raise LineError(f"no fault object '{word}'; expected f0 to f{spec.FAULT_OBJECTS - 1}")


def _read_label(word: str, _names: Names) -> str:
    if not _LABEL.fullmatch(word):
        raise LineError(f"expected a name of letters, digits, '.', '_' or '-', got '{word}'")
    return word


def _read_time(word: str, _names: Names) -> int:
    match = _TIME.fullmatch(word)
    if match is None:
        raise LineError(f"expected a time like 5ms (ns, us, ms, s), got '{word}'")
    value = int(match["number"]) * NANOSECONDS[match["unit"]]
    if value > PAUSE_MAX_NS:
        raise LineError(f"{word} is out of range; at most {PAUSE_MAX_NS // 10**9}s")
    return value


def _show_time(value: Value) -> str:
    unit = next(u for u in ("s", "ms", "us", "ns") if int(value) % NANOSECONDS[u] == 0)
    return f"{int(value) // NANOSECONDS[unit]}{unit}"


def _read_code(word: str, names: Names) -> Value:
    if word in CODES:
        return CODES[word]
    if word[:1].isdigit():
        return number(0, 0xFFFF).read(word, names)
    raise LineError(
        f"'{word}' is neither a number nor one of {', '.join(CODES)}{did_you_mean(word, CODES)}"
    )


def _show_code(value: Value) -> str:
    return next((word for word, code in CODES.items() if code == value), str(value))


def _read_times(word: str, names: Names) -> Value:
    return 0 if word == "forever" else number(1, 0xFFFFFFFF).read(word, names)


DEVICE = called(Kind.DEVICE)
TENANT = called(Kind.TENANT)
FAULT = Reader("F", _read_fault, lambda value: f"f{value}")
LABEL = Reader("LABEL", _read_label)
NAME = Reader("NAME", _read_label)
DURATION = Reader("DURATION", _read_time, _show_time)
CODE = Reader("success|invalid|failure|N", _read_code, _show_code)
TIMES = Reader("N|forever", _read_times, lambda value: str(value) if value else "forever")
PAGES = number(1, PAGES_MAX, "PAGES")
AT = number(0, AT_MAX, "PAGE")
PROT = letters(PROT_LETTERS, "rwx")
PERM = letters(PERM_LETTERS, "rwxp")
POOL = one_of(POOLS, "POOL")
UNIT = one_of(UNITS)
DOMAIN = one_of(DOMAINS)
