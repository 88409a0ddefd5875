# SPDX-License-Identifier: MIT
"""Trees to mutate: a copy of this one for each worker, built once, from which each mutant starts.

    build/mutants/N/tree     what is mutated, built and checked
    build/mutants/N/built    the same without a mutant; `tree` is made from it again for the next one
The compiler notes the path of a tree in its modules, so a copy is built at the place where it is used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / "build" / "mutants"
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", ".iopf*", "iopf-runs", "__pycache__")


class BuildError(Exception):
    """A tree that does not compile; its message is the first error of the compiler."""


class Workshop:
    """The trees of worker `number`."""

    def __init__(self, number: int) -> None:
        self.tree = PLACE / str(number) / "tree"
        self._built = PLACE / str(number) / "built"

    def prepare(self) -> None:
        """Copy the sources and build them. Raises BuildError."""
        shutil.rmtree(self.tree.parent, ignore_errors=True)
        shutil.copytree(ROOT, self.tree, symlinks=True, ignore=_LEFT_OUT)
        self.build()
        shutil.copytree(self.tree, self._built, symlinks=True)

    def restore(self) -> None:
        """Undo the last mutant and everything its checks left."""
        shutil.rmtree(self.tree)
        shutil.copytree(self._built, self.tree, symlinks=True)

    def build(self) -> None:
        """Compile what changed. Raises BuildError."""
        paths = os.pathsep.join((str(self.tree / ".src"), str(self.tree)))
        for what in ("modules", "probes"):
            done = subprocess.run(
                [sys.executable, "-m", "iopf.tools.build_ext", what],
                cwd=self.tree,
                env={**os.environ, "PYTHONPATH": paths},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            if done.returncode:
                lines = (done.stdout + done.stderr).splitlines()
                errors = [line for line in lines if "error" in line.lower()]
                raise BuildError((errors or lines or ["no output"])[0][:160])

    def close(self) -> None:
        shutil.rmtree(self.tree.parent, ignore_errors=True)
