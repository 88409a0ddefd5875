# SPDX-License-Identifier: MIT
"""Text from elsewhere on a terminal: names in files, in shared memory, on the command line.

Whatever prints such text passes it through `printable`, so that it can neither move the cursor nor begin a line of its own, which
could look like a verdict.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """The text on one line: control characters and others that no terminal shows as `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(ord(c)) for c in text)


def counted(number: int, what: str, plural: str = "") -> str:
    """`1 request`, `1,440 requests`; `plural` if it does not just end in s."""
    return f"{number:,} {what if number == 1 else plural or what + 's'}"


def _escaped(code: int) -> str:
    if (
        0xDC80 <= code <= 0xDCFF
    ):  # a byte that is not UTF-8, as Python decodes arguments and file names
        code &= 0xFF
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
