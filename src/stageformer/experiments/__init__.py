"""Experiments: revisions read without checking them out, and compared."""
