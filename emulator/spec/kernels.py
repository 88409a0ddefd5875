# SPDX-License-Identifier: MIT
"""The kernel generations by name, and the Linux versions that they stand for.

Schema, command line, fate table, model and known violations take names and order from here; the numbers on the board are those of
``generations.pxd``.
"""

from __future__ import annotations

import re

from iopf.emulator.spec.generations import Generation


def _name(generation: Generation) -> str:
    """`v5.13` of GEN_V5_13, `gunthorpe` of GEN_GUNTHORPE."""
    return generation.name.removeprefix("GEN_").lower().replace("_", ".")


NUMBERS: dict[str, Generation] = {_name(each): each for each in Generation}
GENERATIONS: tuple[str, ...] = tuple(NUMBERS)  # in order of time
PROPOSED = "gunthorpe"
MERGED: tuple[str, ...] = tuple(name for name in GENERATIONS if name != PROPOSED)
NEWEST = MERGED[-1]

# Stable releases that behave as a later generation: (major, minor) -> first sublevel, generation.
# 6.18.44 and 7.1.8 have the backport of 738e6f32e61d.
_BACKPORTS = {(6, 18): (44, "v7.2"), (7, 1): (8, "v7.2")}
_LATEST = (7, 3)  # the newest mainline version whose io-pgfault.c and prq.c were compared
_VERSION = re.compile(r"v?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,4}))?(?:[-+~].*)?")


def _first(name: str) -> tuple[int, int]:
    """The first mainline version of a merged generation."""
    major, minor = name.removeprefix("v").split(".")
    return int(major), int(minor)


def span(first: str, last: str) -> tuple[str, ...]:
    """The generations from one to another, both included, in order of time."""
    return GENERATIONS[GENERATIONS.index(first) : GENERATIONS.index(last) + 1]


def since(first: str, *, proposed: bool = True) -> tuple[str, ...]:
    """The merged generations from one on, and the proposal, which is based on v6.7 and later work."""
    return MERGED[MERGED.index(first) :] + ((PROPOSED,) if proposed else ())


def generation_of(text: str) -> tuple[str, str]:
    """The generation that a name, a mainline version or an `uname -r` string stands for, and a note about it ('' for a
    name of a generation).

    Raises ValueError with the reason when it stands for none.
    """
    if text in NUMBERS:
        return text, ""
    found = _VERSION.fullmatch(text)
    if found is None:
        have = ", ".join(GENERATIONS)
        raise ValueError(
            f"'{text[:40]}' is no kernel version; write one like v6.12 or 6.8.0-31-generic, or one of {have}"
        )
    version, sublevel = (int(found[1]), int(found[2])), int(found[3] or 0)
    shown = f"v{found[1]}.{found[2]}" + (f".{sublevel}" if sublevel else "")
    if version < _first(MERGED[0]):
        raise ValueError(f"{shown} has no I/O page fault path; {MERGED[0]} is the first that does")
    name = max((each for each in MERGED if _first(each) <= version), key=_first)
    first_sublevel, backport = _BACKPORTS.get(version, (0, name))
    if sublevel >= first_sublevel:
        name = backport
    if shown == name:
        return name, ""
    how = "behaves as" if version <= _LATEST else "is newer than this iopf; it is run as"
    return (
        name,
        f"{shown} {how} {name} here (iopf help kernels)"
        if version <= _LATEST
        else f"{shown} {how} {name}",
    )
