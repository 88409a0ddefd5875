# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Actors and scheduling points for Python; numbers in ``crew.pxd``, documentation in ``crew.h``."""
