# SPDX-License-Identifier: MIT
"""`iopf kernel`: Linux's own files as the kernel side."""

from __future__ import annotations

from iopf.tools.cli.lazy import Entry, LazyGroup

ENTRIES = {
    "build": Entry("iopf.tools.cli.commands.kernel.build", "build a kernel from a source tree"),
    "test": Entry(
        "iopf.tools.cli.commands.kernel.test", "explore its fault path under random schedules"
    ),
    "compare": Entry(
        "iopf.tools.cli.commands.kernel.compare", "the model against recorded results of a kernel"
    ),
    "list": Entry("iopf.tools.cli.commands.kernel.list", "the kernels that were built"),
    "show": Entry(
        "iopf.tools.cli.commands.kernel.show", "version, files, patches and functions of a kernel"
    ),
    "remove": Entry("iopf.tools.cli.commands.kernel.remove", "remove a kernel from the cache"),
    "fetch": Entry(
        "iopf.tools.cli.commands.kernel.fetch", "get a source tree with the package manager"
    ),
}

command = LazyGroup(
    "kernel",
    entries=ENTRIES,
    examples=(
        ("iopf kernel fetch 6.12", "download a source package, install nothing"),
        ("iopf kernel build --linux linux-6.12 --name lts", "compile its fault path"),
        ("iopf kernel test lts", "bind, fault and unbind under 140000 schedules"),
        ("iopf kernel show lts", "what is the tree's, what is ours, what is missing"),
    ),
    help="Build Linux's own fault path from a source tree, and run it under controlled schedules.",
)
