"""What `stageformer predict` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stageformer.heads.predictor import Labels
from stageformer.terminal.json_text import json_text


def label_lines(texts: Sequence[str], found: Sequence[Labels], *, first_line: int, as_json: bool) -> Iterator[str]:
    """Yield a line for each text.

    Args:
        texts: as they were given.
        found: the labels of each.
        first_line: number of the first.
        as_json: lines of JSON. Else labels and probabilities, with a tab between them, or the words with their tags.
    """
    for number, (text, one) in enumerate(zip(texts, found, strict=True), start=first_line):
        if as_json:
            rounded = [round(probability, 6) for probability in one.probabilities]
            words = {"words": one.words} if one.words else {}
            content = {"sentence": number, "text": text, **words, "labels": one.labels, "probabilities": rounded}
            yield json_text(content, indent=None)
        elif one.words:
            yield " ".join(f"{word}/{tag}" for word, tag in zip(one.words, one.labels, strict=True))
        else:
            probabilities = " ".join(f"{probability:.4f}" for probability in one.probabilities)
            yield f"{' '.join(one.labels)}\t{probabilities}"
