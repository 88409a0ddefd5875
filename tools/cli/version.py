# SPDX-License-Identifier: MIT
"""Output of `iopf --version`: the details that a bug report needs."""

from __future__ import annotations

import platform
from importlib import metadata

from iopf.emulator.scenario.schema import SCHEMA

DISTRIBUTION = "iopf-emulator"


def package_version() -> str:
    """Version of the installed package, or `unknown` in a tree that is not installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


def version_line() -> str:
    """Package, scenario schema, interpreter and its compiler."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    compiler = " ".join(platform.python_compiler().split())
    return f"iopf {package_version()} (scenario schema {SCHEMA}, {python}, {compiler})"
