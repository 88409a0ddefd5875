"""Helpers of the tests: shared memory to try things on, real child processes, and single-stepping."""
