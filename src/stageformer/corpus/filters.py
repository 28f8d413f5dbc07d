"""The filters that drop a pair."""

from __future__ import annotations

import re

from stageformer.params.ingest import Ingest

# What is no word of a language: {placeholders}, <markup> and web addresses.
_NOT_WORDS = re.compile(r"\{[^{}]*\}|<[^<>]*>|https?://\S+")
_RATIO_OFFSET = 10


def fold(text: str) -> str:
    """Return the form in which two normalised sources are compared for leaks: without regard to case."""
    return text.casefold()


def has_words(text: str) -> bool:
    """Return whether a letter is left without placeholders, markup and addresses."""
    return any(map(str.isalpha, _NOT_WORDS.sub("", text)))


def why_dropped(source: str, target: str, params: Ingest) -> str | None:
    """Return the first reason (of ``records.REASONS``) to drop this normalised pair from training, or None.

    Lengths are in characters. The ratio is that of the two lengths plus 10, so that short sentences may differ more.
    """
    if not source or not target:
        return "empty"
    if not has_words(source) or not has_words(target):
        return "placeholders_only"
    if params.drop_equal and source == target:
        return "equal_sides"
    shorter, longer = sorted((len(source), len(target)))
    if longer > params.max_characters:
        return "too_long"
    if longer + _RATIO_OFFSET > params.max_length_ratio * (shorter + _RATIO_OFFSET):
        return "length_ratio"
    return None
