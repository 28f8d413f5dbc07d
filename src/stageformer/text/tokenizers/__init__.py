"""Tokenizers: one file per family."""
