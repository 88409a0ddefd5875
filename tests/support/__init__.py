# SPDX-License-Identifier: MIT
"""Helpers of the tests: shared memory, real child processes, and single-stepping."""
