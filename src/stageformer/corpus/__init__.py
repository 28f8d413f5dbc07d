"""Parallel text: where it comes from, what is dropped, and how it is split."""
