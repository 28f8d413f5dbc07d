"""The filters: what each pair of the training text must have, each switched off by its parameter."""

from __future__ import annotations

import re

from stageformer.corpus.languages import probability_of
from stageformer.params.ingest import Ingest

FILTERS = {
    "no_letters": "require_letters: false",
    "equal_sides": "drop_equal: false",
    "too_long": "max_characters: null",
    "length_ratio": "max_length_ratio: null",
    "repeated_characters": "max_repeats: null",
    "other_language": "language_identifier: none",
    "duplicate": "drop_duplicates: false",
}
"""Reason to drop a pair -> the value of its parameter that switches the filter off, in the order of the filters."""

# What is not a word of a language: {placeholders}, <markup> and web addresses.
_NOT_WORDS = re.compile(r"\{[^{}]*\}|<[^<>]*>|https?://\S+")
_RATIO_OFFSET = 10


def fold(text: str) -> str:
    """Return the form in which two normalised sources are compared for leaks: without regard to case."""
    return text.casefold()


def has_letters(text: str) -> bool:
    """Return whether a letter is left without placeholders, markup and addresses."""
    return any(map(str.isalpha, _NOT_WORDS.sub("", text)))


def why_dropped(source: str, target: str | None, params: Ingest) -> str | None:
    """Return the first reason to drop this normalised pair from training, or None.

    That it is a duplicate is not known here. Lengths are in characters. The ratio is that of the two lengths plus 10,
    so that short sentences may differ more. A source without a target (None) passes the filters that compare the two.
    """
    texts = (source,) if target is None else (source, target)
    if not all(texts):
        return "empty"
    if params.require_letters and not all(map(has_letters, texts)):
        return "no_letters"
    if params.drop_equal and source == target:
        return "equal_sides"
    lengths = [len(text) for text in texts]
    shorter, longer = min(lengths), max(lengths)
    if params.max_characters is not None and longer > params.max_characters:
        return "too_long"
    ratio = params.max_length_ratio
    if ratio is not None and longer + _RATIO_OFFSET > ratio * (shorter + _RATIO_OFFSET):
        return "length_ratio"
    if params.max_repeats is not None and any(has_run(text, params.max_repeats) for text in texts):
        return "repeated_characters"
    if params.language_identifier != "none" and not _in_their_languages(texts, params):
        return "other_language"
    return None


def has_run(text: str, longest: int) -> bool:
    """Return whether a character is there more often in a row than ``longest`` times."""
    return re.search(rf"(.)\1{{{longest}}}", text, re.DOTALL) is not None


def _in_their_languages(texts: tuple[str, ...], params: Ingest) -> bool:
    # By the words alone: {placeholders} and <markup> are in no language.
    languages = (params.source_language, params.target_language)
    words = (_NOT_WORDS.sub("", text) for text in texts)
    return all(
        probability_of(language)(text) >= params.min_language_probability
        for text, language in zip(words, languages, strict=False)
        if language is not None
    )
