"""What the stage evaluate reports, from the translations alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stageformer.artifacts.reading import read_json
from stageformer.artifacts.tables import read_table
from stageformer.errors import StageformerError
from stageformer.scoring.metrics import Scorer


@dataclass(frozen=True)
class Translations:
    """The sentences of a split and what became of them; all sequences are of one length."""

    ids: Sequence[int]
    sources: Sequence[str]
    references: Sequence[Sequence[str]]
    beam: Sequence[str]
    beam_scores: Sequence[float]
    greedy: Sequence[str]


def read_translations(
    sentences: Path, hypotheses: Path, to_text: Callable[[Sequence[int]], str], *, longest: int | None
) -> Translations:
    """Return the sentences of a split and what the stage translate made of them.

    Args:
        sentences: table of the split, of kind ``sentences``
        hypotheses: table of kind ``hypotheses``
        to_text: makes text of the ids of a translation
        longest: tokens that a translation can have; None: any number

    Raises:
        StageformerError: a table is missing or damaged, they are not of the same sentences, or a translation is longer
            than that.
    """
    split, found = read_table(sentences, "sentences").to_pydict(), read_table(hypotheses, "hypotheses").to_pydict()
    if found["id"] != split["id"]:
        raise StageformerError(f"{hypotheses}: holds other sentences than {sentences}; run `dvc repro`")
    for column in ("beam_ids", "greedy_ids"):
        most = max(map(len, found[column]), default=0)
        if longest is not None and most > longest:
            raise StageformerError(
                f"{hypotheses}: {column} has a translation of {most:,} tokens, and the model makes at most {longest:,} "
                "(embed.max_length); run `dvc repro`"
            )
    return Translations(
        ids=found["id"],
        sources=split["source"],
        references=split["references"],
        beam=[to_text(ids) for ids in found["beam_ids"]],
        beam_scores=found["beam_score"],
        greedy=[to_text(ids) for ids in found["greedy_ids"]],
    )


def read_search(metrics: Path) -> dict[str, Any]:
    """Return ``split`` and ``perplexity`` from the metrics of the stage translate.

    Raises:
        StageformerError: the file is missing or damaged, or these are not such metrics.
    """
    found = read_json(metrics)
    names = ("split", "perplexity")
    if not isinstance(found, dict) or not all(name in found for name in names):
        raise StageformerError(f"{metrics}: not the metrics of the stage translate; run `dvc repro --force translate`")
    return {name: found[name] for name in names}


def metrics(translations: Translations, scorer: Scorer) -> dict[str, Any]:
    """Score beam and greedy search, and the sources themselves as if they were translations.

    The last, ``copy_source``, is the row that any model must beat: names, numbers and loan words reach it.
    """
    return {
        "sentences": len(translations.sources),
        "references": sum(map(len, translations.references)),
        "beam": scorer.corpus(translations.beam),
        "greedy": scorer.corpus(translations.greedy),
        "copy_source": scorer.corpus(translations.sources),
    } | scorer.signatures


def table(translations: Translations, scorer: Scorer) -> dict[str, Sequence[Any]]:
    """Return the columns of the table of kind ``translations``: every sentence with the scores of its translation."""
    scores = scorer.sentences(translations.beam)
    return {
        "id": translations.ids,
        "source": translations.sources,
        "references": translations.references,
        "translation": translations.beam,
        "greedy": translations.greedy,
        "score": translations.beam_scores,
        "bleu": [score.bleu for score in scores],
        "chrf": [score.chrf for score in scores],
        "exact_match": [score.exact_match for score in scores],
    }
