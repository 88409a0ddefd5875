# SPDX-License-Identifier: MIT
"""Bounds on what a TOML text makes of memory and time, checked before it is parsed.

`tomllib` keeps one key path per prefix of a dotted key, so a key of n names takes n * n / 2 references: 80 KB of `a.a.a...` take 3 GB.
Every table and every array takes hundreds of bytes, although `[a]` has three. A scenario nests three tables deep and has at most one
table per device, tenant and program, and one more for each device's workload.
"""

from __future__ import annotations

import re

NAMES_MAX = 8
PARTS_MAX = 20_000

# Strings and comments. An open string reaches to the end of the text or line, where the parser complains about it: so no start is
# tried twice, and the time is linear.
_HIDDEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\\?\Z)'
    r"|'''(?:[^']|'(?!''))*+(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\.)*+(?:"|\\?$)'
    r"|'[^'\n]*+(?:'|$)"
    r"|#[^\n]*+",
    re.DOTALL | re.MULTILINE,
)
_LONG_KEY = re.compile(rf"(?<![\w.-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{NAMES_MAX}}}", re.ASCII)


def _placeholder(found: re.Match[str]) -> str:
    return "" if found[0].startswith("#") else "s"


def excess(text: str) -> str:
    """The limit that the text exceeds, or an empty string."""
    bare = _HIDDEN.sub(_placeholder, text)
    if _LONG_KEY.search(bare):
        return f"not a scenario: a key of more than {NAMES_MAX} names"
    parts = sum(map(bare.count, ".[{"))
    if parts > PARTS_MAX:
        return f"not a scenario: {parts} tables, lists and dots in keys; at most {PARTS_MAX}"
    return ""
