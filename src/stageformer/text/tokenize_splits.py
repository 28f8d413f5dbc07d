"""The work of the stage ``tokenize``: train on the training split, cut every split, report what came out.

A table is cut part by part (:func:`tokenize_part`), each a function of that part alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from tqdm import tqdm

from stageformer.artifacts.csv_files import write_csv
from stageformer.artifacts.files import write_json
from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import open_table, read_batches, write_parts
from stageformer.compute.pool import SERIAL, Pool
from stageformer.console.output import say, warn
from stageformer.params.tokenize import Tokenize
from stageformer.text.counts import SIDES, BySide, SideCounts, ratio
from stageformer.text.pair import Tokenizers, load_tokenizers, save_tokenizers, train_tokenizers
from stageformer.text.tokenizers.base import Tokenizer


@dataclass
class CutCounts(SideCounts):
    """What is counted while one side of a table is cut."""

    sentences: int = 0
    words: int = 0
    exact: int = 0
    too_long: int | None = None
    """Words beyond ``max_word_length``; None in a family without one."""
    lengths: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, tokenizer: Tokenizer, texts: list[str], tokenized: list[list[str]]) -> Self:
        """Count one part."""
        pairs = zip(texts, tokenized, strict=True)
        limit = tokenizer.max_word_length
        return cls(
            sentences=len(texts),
            tokens=sum(map(len, tokenized)),
            words=sum(len(text.split()) for text in texts),
            exact=sum(tokenizer.join(tokens) == tokenizer.form.apply(text) for text, tokens in pairs),
            too_long=limit and sum(len(token) > limit for tokens in tokenized for token in tokens),
            lengths=Counter(map(len, tokenized)),
        )

    def metrics(self) -> dict[str, float]:
        """Return the figures for the report; rates are shares from 0 to 1, of an empty split 0."""
        long_words = {} if self.too_long is None else {"too_long_words": self.too_long}
        return long_words | {
            "tokens": self.tokens,
            "words": self.words,
            "tokens_per_word": ratio(self.tokens, self.words),
            "longest_sentence": max(self.lengths, default=0),
            "empty_sentences": self.lengths[0],
            "round_trip_rate": ratio(self.exact, self.sentences),
        }


@dataclass
class TokenCounts(BySide[CutCounts]):
    """What is counted while a table is cut, by side. The counts of a table are the sum of those of its parts."""

    sides: dict[str, CutCounts] = field(default_factory=lambda: {side: CutCounts() for side in SIDES})


def tokenize_splits(input_folder: Path, output: Path, reports: Path, params: Tokenize, pool: Pool = SERIAL) -> None:
    """Train the tokenizers on the training split and cut all splits into token strings.

    Args:
        input_folder: ``{train,valid,test}.parquet`` of sentences.
        output: gets ``tokenizer/`` and ``{train,valid,test}.parquet`` of tokens.
        reports: gets ``metrics.json`` and ``lengths.csv``.
        params: the group ``tokenize``.
        pool: what cuts the parts; the result is the same.

    Raises:
        StageformerError: a missing or damaged table, no text to learn from, or a full disk.
    """
    for split in SPLITS:  # before the training, not after it
        open_table(input_folder / f"{split}.parquet", "sentences")
    train = input_folder / "train.parquet"
    tokenizers = train_tokenizers(
        _Column(train, "source"), _Column(train, "target"), params.source, params.target
    )
    tokenizers = save_tokenizers(tokenizers, output / "tokenizer")
    metrics: dict[str, Any] = {
        "learnt_tokens": {
            name: tokenizer.size for name, tokenizer in tokenizers.by_folder.items() if tokenizer.size is not None
        }
    }
    histogram: list[tuple[int, int, str, str]] = []
    total = TokenCounts()
    for split in SPLITS:
        counts = TokenCounts()
        parts = _parts(input_folder / f"{split}.parquet", split)
        tokenized = pool.map(_Cutting(tokenizers, output / "tokenizer"), parts)
        write_parts(output / f"{split}.parquet", "tokens", tokenized, counts, tokenizers.parts)
        metrics[split] = {"sentences": counts.sides["source"].sentences}
        for side, counted in counts.sides.items():
            metrics[split][side] = counted.metrics()
            histogram += [(length, number, side, split) for length, number in sorted(counted.lengths.items())]
        total.add(counts)
    write_json(reports / "metrics.json", metrics)
    write_csv(reports / "lengths.csv", ("length", "sentences", "side", "split"), histogram)
    learnt = " and ".join(f"{size:,}" for size in metrics["learnt_tokens"].values()) or "no"
    cut = ", ".join(
        f"{side} {counted.tokens:,} ({ratio(counted.tokens, counted.words):.2f} per word)"
        for side, counted in total.sides.items()
    )
    families = " and ".join(tokenizer.kind for tokenizer in tokenizers.by_folder.values())
    sentences = total.sides["source"].sentences
    for name, tokenizer in tokenizers.by_folder.items():
        if tokenizer.remark:
            say(f"tokenize: {name} tokenizer: {tokenizer.remark}")
    for side, counted in total.sides.items():
        if counted.too_long:
            warn(
                f"{counted.too_long:,} words of the {side} have more characters than tokenize max_word_length and are "
                "one token each, mostly unknown"
            )
    say(f"tokenize: read {sentences:,} pairs, learnt {learnt} tokens ({families}), wrote: {cut}")


def tokenize_part(batch: pa.RecordBatch, tokenizers: Tokenizers) -> tuple[dict[str, Any], TokenCounts]:
    """Cut one part of a table.

    Args:
        batch: columns ``id``, ``source`` and ``target``.
        tokenizers: those of both sides.

    Returns:
        The columns of a table of kind ``tokens``, and what was counted.
    """
    columns: dict[str, Any] = {"id": batch.column("id")}
    counts = TokenCounts()
    for side, tokenizer in zip(SIDES, (tokenizers.source, tokenizers.target), strict=True):
        texts: list[Any] = batch.column(side).to_pylist()
        tokenized = tokenizer.encode_batch(texts)
        counts.sides[side] = CutCounts.of(tokenizer, texts, tokenized)
        columns[f"{side}_tokens"] = pa.array(tokenized, pa.list_(pa.field("element", pa.string())))
    return columns, counts


class _Cutting:
    """:func:`tokenize_part` with tokenizers that another process reads from their folder: not all can be pickled."""

    def __init__(self, tokenizers: Tokenizers, folder: Path) -> None:
        self._tokenizers, self._folder = tokenizers, folder

    def __call__(self, batch: pa.RecordBatch) -> tuple[dict[str, Any], TokenCounts]:
        return tokenize_part(batch, self._tokenizers)

    def __reduce__(self) -> tuple[Any, ...]:
        return _cutting_of, (self._folder.absolute(),)


def _cutting_of(folder: Path) -> _Cutting:
    return _Cutting(load_tokenizers(folder), folder)


class _Column:
    """One column of text of a table that can be iterated again and again, streamed from the disk each time."""

    def __init__(self, path: Path, column: str) -> None:
        self._path, self._column = path, column

    def __iter__(self) -> Iterator[str]:
        for batch in read_batches(self._path, "sentences", [self._column]):
            texts: list[Any] = batch.column(0).to_pylist()
            yield from texts


def _parts(path: Path, split: str) -> Iterator[pa.RecordBatch]:
    rows = open_table(path, "sentences").metadata.num_rows
    with tqdm(total=rows, desc=f"tokenize {split}", unit=" sentences", disable=None) as progress:
        for batch in read_batches(path, "sentences", ["id", *SIDES]):
            yield batch
            progress.update(batch.num_rows)
