"""`iopf bench`: what this machine makes of the emulator, beside other queues and plain Python."""
