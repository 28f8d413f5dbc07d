"""Normalisation of text: what the stage ``ingest`` does to the corpus, and the translator to what it is given."""

from __future__ import annotations

import unicodedata


def normalise(text: str) -> str:
    """Return the text in Unicode NFC, stripped, every run of white space as one space. Nothing else is changed."""
    return " ".join(unicodedata.normalize("NFC", text).split())
