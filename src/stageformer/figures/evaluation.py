"""The pictures of the stage evaluate: what the model attends to while it translates some sentences."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stageformer.artifacts.tables import read_table
from stageformer.errors import StageformerError
from stageformer.figures.attention import attention_heads, attention_map
from stageformer.figures.attention_weights import attention_weights
from stageformer.model.transformer import Transformer
from stageformer.scoring.report import Translations
from stageformer.text.vocabulary import BOS, EOS, Vocabularies

SHORTEST, LONGEST = 5, 30
"""source tokens of a sentence that makes a good picture"""


def choose_sentences(lengths: Sequence[int], number: int) -> list[int]:
    """Choose rows for pictures: spread evenly over the split, of lengths that can be read, where there are such.

    Args:
        lengths: tokens of each source
        number: how many at most
    """
    fitting = [row for row, length in enumerate(lengths) if SHORTEST <= length <= LONGEST]
    candidates = fitting or list(range(len(lengths)))
    places = np.linspace(0, len(candidates) - 1, min(number, len(candidates)))
    return [candidates[round(float(place))] for place in places]


@dataclass(frozen=True)
class Sentence:
    """A sentence and its translation."""

    id: int
    source_ids: Sequence[int]
    """<eos> included"""
    translation_ids: Sequence[int]
    """without special tokens"""
    source: str
    translation: str
    reference: str


def sentences_to_draw(translations: Translations, hypotheses: Path, ids: Path, number: int) -> list[Sentence]:
    """Choose sentences for pictures, with what is written on them.

    Args:
        translations: the sentences of the split as text
        hypotheses: table of kind ``hypotheses``, of the same sentences
        ids: table of the split, of kind ``ids``
        number: how many at most

    Raises:
        StageformerError: a table is missing or damaged, or they are not of the same sentences.
    """
    rows = read_table(ids, "ids", ["id", "source_ids"]).to_pydict()
    if rows["id"] != list(translations.ids):
        raise StageformerError(f"{ids}: holds other sentences than {hypotheses}; run `dvc repro`")
    found = read_table(hypotheses, "hypotheses", ["beam_ids"]).to_pydict()["beam_ids"]
    return [
        Sentence(
            id=translations.ids[row],
            source_ids=rows["source_ids"][row],
            translation_ids=found[row],
            source=translations.sources[row],
            translation=translations.beam[row],
            reference=translations.references[row][0],
        )
        for row in choose_sentences([len(sentence) for sentence in rows["source_ids"]], number)
    ]


def draw_attention(
    model: Transformer, vocabularies: Vocabularies, sentences: Sequence[Sentence], folder: Path
) -> None:
    """Draw four pictures for each sentence into ``folder``, of which older content is removed.

    ``ID-cross.png``: cross-attention of the last decoder layer, mean over heads; ``ID-cross-heads.png``: of every layer
    and head; ``ID-encoder.png``, ``ID-decoder.png``: self-attention of every layer and head of the encoder and of the
    decoder. ID is that of the sentence.

    Args:
        model: in eval mode
        vocabularies: of both sides
        sentences: what to draw
        folder: for the PNG files

    Raises:
        StageformerError: the disk is full.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for sentence in tqdm(sentences, desc="evaluate: pictures", unit="sentence", disable=None):
        weights = attention_weights(model, sentence.source_ids, [vocabularies.target.bos_id, *sentence.translation_ids])
        source = vocabularies.source.to_tokens(sentence.source_ids)
        tokens = vocabularies.target.to_tokens(sentence.translation_ids)
        read = [BOS, *tokens]
        # The row of a token is the step that predicts it: what the model looked at to write it.
        written = [*tokens, EOS]
        labels = {"row_label": "token written", "column_label": "source token"}
        attention_map(
            weights.cross[-1].mean(0),
            written,
            source,
            folder / f"{sentence.id}-cross.png",
            title="Where the decoder looks: last layer, mean over heads",
            caption=[
                f"Source: {sentence.source}",
                f"Translation: {sentence.translation}",
                f"Reference: {sentence.reference}",
            ],
            **labels,
        )
        attention_heads(
            weights.cross,
            written,
            source,
            folder / f"{sentence.id}-cross-heads.png",
            title="Where the decoder looks: every layer and head",
            **labels,
        )
        attention_heads(
            weights.encoder,
            source,
            source,
            folder / f"{sentence.id}-encoder.png",
            title="Where the encoder looks: every layer and head",
            row_label="source token",
            column_label="source token that it attends to",
        )
        attention_heads(
            np.where(np.tri(len(read), dtype=bool), weights.decoder, -np.inf).astype(np.float32),
            read,
            read,
            folder / f"{sentence.id}-decoder.png",
            title="Where the decoder looks in what it has written: every layer and head",
            row_label="token read",
            column_label="token that it attends to (hatched: masked)",
        )
