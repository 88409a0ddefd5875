"""What `iopf --version` prints: what one needs to know about an installation in a bug report."""

from __future__ import annotations

import platform
from importlib import metadata

from iopf.emulator.scenario.schema import SCHEMA

DISTRIBUTION = "iopf-emulator"


def package_version() -> str:
    """Version of the installed package, or `unknown` in a tree that was never installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


def version_line() -> str:
    """Package, scenario schema, interpreter and the compiler that built the interpreter."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    compiler = " ".join(platform.python_compiler().split())
    return f"iopf {package_version()} (scenario schema {SCHEMA}, {python}, {compiler})"
