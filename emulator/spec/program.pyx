# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The numbers of ``program.pxd`` for Python."""
