# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The numbers of ``generations.pxd`` for Python. ``kernels.py`` has their names and the Linux versions that they stand for."""
