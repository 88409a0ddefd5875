# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The numbers of ``ledger.pxd`` for Python."""
