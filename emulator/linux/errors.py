# SPDX-License-Identifier: MIT
"""Why a kernel could not be built, in one line."""

from __future__ import annotations


class BuildError(Exception):
    """The tree, a patch or a name is not usable; the text says what, where, and what to do."""


class MachineError(BuildError):
    """This machine lacks a compiler, room or a permission."""


class CrashError(BuildError):
    """The process that runs a kernel died, or the kernel could not be set up."""
