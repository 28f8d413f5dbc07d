"""Artifacts: how every file that a stage writes is laid out, written and read."""
