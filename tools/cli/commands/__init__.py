# SPDX-License-Identifier: MIT
"""One module per command. `iopf.tools.cli.main` lists them and imports the requested one."""
