"""A table may be cut, counted and mapped in any parts: columns follow each other, and counts add up."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

from stageformer.artifacts.tables import SCHEMAS
from stageformer.text.pair import train_tokenizers
from stageformer.text.tokenize_splits import SIDES, TokenCounts, tokenize_part
from stageformer.text.vocab_splits import IdCounts, count_part, map_part
from stageformer.text.vocabulary import Vocabularies, Vocabulary
from tests.families import family

SOURCE = ["Turn on the light", "the light", "", "off 漢字", "Turn it off", "the end"]
TARGET = ["Licht an", "das Licht", "nichts", "aus", "Schalte es aus 漢", ""]
CUTS = pytest.mark.parametrize("cuts", [[6], [1, 5], [2, 0, 3, 1], [1] * 6])


def slices(batch: pa.RecordBatch, sizes: list[int]) -> list[pa.RecordBatch]:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return [batch.slice(start, size) for start, size in zip(starts, sizes, strict=True)]


def table(kind: str, parts: list[dict[str, Any]]) -> pa.Table:
    schema = SCHEMAS[kind]
    return pa.Table.from_batches(
        [pa.record_batch([pa.array(part[field.name], field.type) for field in schema], schema=schema) for part in parts]
    )


@pytest.fixture(scope="module")
def sentences() -> pa.RecordBatch:
    columns = {
        "id": range(6), "source": SOURCE, "target": TARGET, "references": [[text] for text in TARGET], "group": [""] * 6
    }  # fmt: skip
    schema = SCHEMAS["sentences"]
    return pa.record_batch([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


@CUTS
def test_any_parts_give_the_same(sentences: pa.RecordBatch, cuts: list[int]) -> None:
    tokenizers = train_tokenizers(SOURCE, TARGET, family(vocabulary_size=40), family(vocabulary_size=40))

    def tokenized(sizes: list[int]) -> tuple[pa.Table, TokenCounts]:
        total, parts = TokenCounts(), []
        for part in slices(sentences, sizes):
            columns, counts = tokenize_part(part, tokenizers)
            parts.append(columns)
            total.add(counts)
        return table("tokens", parts), total

    whole, whole_counts = tokenized([6])
    cut, cut_counts = tokenized(cuts)
    assert cut.equals(whole)
    assert cut_counts == whole_counts
    assert cut_counts.sides["source"].sentences == 6

    (batch,) = whole.combine_chunks().to_batches()
    counted = {side: Counter[str]() for side in SIDES}
    for part in slices(batch, cuts):
        for side, found in count_part(part).items():
            counted[side].update(found)
    assert counted == count_part(batch)
    vocabularies = Vocabularies(
        *(Vocabulary.from_counts(counted[side], min_frequency=2, max_size=None) for side in SIDES), shared=False
    )

    def mapped(sizes: list[int]) -> tuple[pa.Table, IdCounts]:
        total, parts = IdCounts(), []
        for part in slices(batch, sizes):
            columns, counts = map_part(part, vocabularies)
            parts.append(columns)
            total.add(counts)
        return table("ids", parts), total

    assert mapped(cuts) == mapped([6])
    assert mapped(cuts)[1].sides["source"].unknown > 0
