# SPDX-License-Identifier: MIT
"""The one import root. The packages beside this file are links to the folders at the top of the tree (src layout)."""
