# SPDX-License-Identifier: MIT
"""Colour policy, shared by click and rich.

click ignores NO_COLOR and TERM=dumb, and rich keeps bold under NO_COLOR. So the decision is made here and stored in `ctx.color`, where
renderers read it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def wants_color(choice: str, stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Decide about colour. `choice`: the value of --color: auto, always or never.

    An explicit option wins, then NO_COLOR, then FORCE_COLOR or CLICOLOR_FORCE, then the stream.
    """
    env = os.environ if environ is None else environ
    if choice != "auto":
        return choice == "always"
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR", "0") != "0" or env.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return env.get("TERM", "") != "dumb" and stream.isatty()
