# SPDX-License-Identifier: MIT
"""Labels of page request groups: their numbers per device, and which groups are open.

A group is opened by a `send` or `report` with the flag `open`, continued by more of them with the
same label, and closed by the first without the flag: that one carries the last request (PCIe ATS
1.1, 4.1: Last Request in PRG). A label means one group, so a closed one cannot be used again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from iopf.emulator.program.lines import Line
from iopf.emulator.program.verbs.operands import GROUP_PAGES_MAX
from iopf.emulator.spec import program as spec

LABEL_NONE = spec.LABEL_OTHER - 1  # requests of lines without a group
_OPENING = ("send", "report")
_NAMING = ("await", "expect")
_SAME = ("tenant", "pasid", "prgi")


@dataclass(slots=True)
class _Group:
    first: Line
    open: bool
    pages: int


@dataclass(slots=True)
class Labels:
    """The groups of all devices, while lines are read in the order of the text."""

    numbers: dict[int, dict[str, int]] = field(default_factory=dict)
    _groups: dict[tuple[int, str], _Group] = field(default_factory=dict)
    _awaited: list[tuple[int, int, int, str]] = field(default_factory=list)

    def number(self, device: int, label: str | None) -> int:
        """The number in records: 0..61, or LABEL_NONE without a label."""
        return LABEL_NONE if label is None else self.numbers[device][label]

    def read(self, program: int, op: int, line: Line) -> str | None:
        """Process one line; return an error text if it misuses its group."""
        if line.verb.name not in (*_OPENING, *_NAMING) or line.label is None:
            return None
        device = line.number("device")
        if line.verb.name in _NAMING:
            self._awaited.append((program, op, device, line.label))
            return None
        known = self._groups.get((device, line.label))
        if known is None:
            return self._open(device, line)
        return self._go_on(known, line)

    def _open(self, device: int, line: Line) -> str | None:
        label = line.label
        assert label is not None
        numbers = self.numbers.setdefault(device, {})
        if len(numbers) >= LABEL_NONE:
            return f"d{device} has more than {LABEL_NONE} groups with a label"
        numbers[label] = len(numbers)
        self._groups[device, label] = _Group(line, "open" in line.flags, line.maybe("pages") or 1)
        return None

    def _go_on(self, group: _Group, line: Line) -> str | None:
        if not group.open:
            return f"group '{line.label}' is already closed; use another label for the next group"
        if group.first.verb is not line.verb:
            return f"group '{line.label}' was opened by '{group.first.verb.name}'"
        for name in _SAME:
            given = line.values.get(name)
            if given is not None and given != group.first.values.get(name):
                return f"group '{line.label}' was opened with another {name}"
        group.open = "open" in line.flags
        group.pages += line.maybe("pages") or 1
        if group.pages > GROUP_PAGES_MAX:
            return f"group '{line.label}' has {group.pages} requests; at most {GROUP_PAGES_MAX}"
        return None

    def unknown(self) -> Iterator[tuple[int, int, str]]:
        """Lines that name groups without a `send`: program, line, reason."""
        for program, op, device, label in self._awaited:
            if label not in self.numbers.get(device, {}):
                yield program, op, f"no line sends group '{label}' of d{device}"

    def names(self) -> dict[int, list[str]]:
        """Per device the labels, ordered by number."""
        return {device: list(numbers) for device, numbers in self.numbers.items()}
