"""What `stageformer complete` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stageformer.terminal.json_text import json_text
from stageformer.text.vocabulary import Vocabulary
from stageformer.translator.translator import Translation


def completion_lines(
    beginnings: Sequence[str],
    found: Sequence[Sequence[Translation]],
    vocabulary: Vocabulary,
    *,
    with_scores: bool,
    as_json: bool,
) -> Iterator[str]:
    """Yield the texts that continue each beginning.

    Args:
        beginnings: of the texts.
        found: the texts of each beginning.
        vocabulary: of their ids.
        with_scores: number of the beginning and score before each text.
        as_json: a line of JSON for each beginning instead.
    """
    for number, (beginning, texts) in enumerate(zip(beginnings, found, strict=True), start=1):
        if as_json:
            all_texts = [
                {"text": text, "score": score, "tokens": vocabulary.to_tokens(ids), "ids": list(ids)}
                for text, score, ids in texts
            ]
            yield json_text({"sentence": number, "beginning": beginning, "texts": all_texts}, indent=None)
            continue
        for text, score, _ in texts:
            yield f"{number}\t{score:.4f}\t{text}" if with_scores else text
