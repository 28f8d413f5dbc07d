"""What a corpus source yields: pairs of text, and the records that could not become one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

REASONS = (
    "untranslated",
    "empty",
    "not_utf8",
    "not_json",
    "not_text",
    "missing_field",
    "reference",
    "placeholders_only",
    "equal_sides",
    "too_long",
    "length_ratio",
    "duplicate",
    "leak",
)
"""Why a record is dropped, in the order of the checks; ``docs/artifacts.md`` explains each."""

MEND = "mend it, or set ingest.on_bad_line: drop"


class Record(NamedTuple):
    """One pair of sentences as it stands in the corpus."""

    source: str
    target: str
    group: str
    """Rows with the same group stay in one split; empty: no group."""
    where: str
    """File name and line, or component and key: for the reader of reports, the same on every machine."""


class Rejected(NamedTuple):
    """A record that is no pair of sentences."""

    reason: str
    """One of ``REASONS``."""
    where: str
    message: str | None
    """The error under ``on_bad_line: error``; None where it is no mistake (a string without translation)."""
    source: str = ""


class Source(Protocol):
    """A corpus, or one split of it, that can be read again and again in the same order.

    Reading raises StageformerError for what no row can be dropped for: a missing or cut-off file, files of unequal
    length, a missing column. A bad row is yielded as :class:`Rejected`, and whoever reads decides.
    """

    def __iter__(self) -> Iterator[Record | Rejected]: ...


def is_unicode(text: str) -> bool:
    """Return False for text with lone surrogates, which JSON can spell and UTF-8 cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
