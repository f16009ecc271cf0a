"""Examples: programs to run, read and change."""
