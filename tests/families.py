"""The parameters of a tokenizer, for the tests of several folders."""

from __future__ import annotations

from typing import Any

from stageformer.params.base import kinds, parse
from stageformer.params.tokenize import Tokenize

_VALUES = {
    "case": "keep", "normalisation": "none", "vocabulary_size": 60, "max_word_length": 100, "model_type": "unigram",
    "path": None, "cutter": "nltk_wordpunct", "language": None, "subwords": "bpe",
}  # fmt: skip


def family(kind: str = "bpe", **changes: object) -> Any:
    """Return the parameters of a family, those that it has out of a few small values and ``changes``."""
    return parse(Tokenize, {"source": values(kind, **changes), "target": None}, "tokenize").source


def values(kind: str = "bpe", **changes: object) -> dict[str, object]:
    """Return the same as YAML has it."""
    fields = kinds(Tokenize.model_fields["source"])[kind].model_fields
    others = _VALUES.keys() - fields.keys()
    return {key: value for key, value in ({"kind": kind} | _VALUES | changes).items() if key not in others}
