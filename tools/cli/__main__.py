# SPDX-License-Identifier: MIT
"""`python -m iopf.tools.cli`: the command `iopf` of this interpreter."""

from __future__ import annotations

import sys

from iopf.tools.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
