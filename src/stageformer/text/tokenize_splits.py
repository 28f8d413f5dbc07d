"""The work of the stage ``tokenize``: train on the training split, cut every split, report what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from stageformer.artifacts.files import write_csv, write_json
from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import open_table, read_batches, write_table
from stageformer.params.tokenize import Tokenize
from stageformer.text.pair import Tokenizers, save_tokenizers, train_tokenizers
from stageformer.text.tokenizers.base import Options, Tokenizer

SIDES = ("source", "target")


@dataclass
class SideStatistics:
    """What is counted while one side of one split is cut."""

    sentences: int = 0
    tokens: int = 0
    words: int = 0
    exact: int = 0
    lengths: Counter[int] = field(default_factory=Counter)

    def add(self, tokenizer: Tokenizer, texts: list[str], tokenized: list[list[str]]) -> None:
        """Count one batch."""
        self.sentences += len(texts)
        self.lengths.update(map(len, tokenized))
        self.tokens += sum(map(len, tokenized))
        self.words += sum(len(text.split()) for text in texts)
        pairs = zip(texts, tokenized, strict=True)
        self.exact += sum(tokenizer.decode(tokens) == tokenizer.normalise(text) for text, tokens in pairs)

    def metrics(self) -> dict[str, float]:
        """Return the figures for the report; rates are shares from 0 to 1, of an empty split 0."""
        return {
            "tokens": self.tokens,
            "words": self.words,
            "tokens_per_word": _ratio(self.tokens, self.words),
            "longest_sentence": max(self.lengths, default=0),
            "empty_sentences": self.lengths[0],
            "round_trip_rate": _ratio(self.exact, self.sentences),
        }


def tokenize_splits(input_folder: Path, output: Path, reports: Path, params: Tokenize) -> None:
    """Train the tokenizers on the training split and cut all splits into token strings.

    Args:
        input_folder: ``{train,valid,test}.parquet`` of sentences.
        output: gets ``tokenizer/`` and ``{train,valid,test}.parquet`` of tokens.
        reports: gets ``metrics.json`` and ``lengths.csv``.
        params: the group ``tokenize``.

    Raises:
        StageformerError: a missing or damaged table, no text to learn from, or a full disk.
    """
    for split in SPLITS:  # before the training, not after it
        open_table(input_folder / f"{split}.parquet", "sentences")
    train = input_folder / "train.parquet"
    tokenizers = train_tokenizers(
        params.kind,
        _Column(train, "source"),
        _Column(train, "target"),
        options=Options(params.vocabulary_size, params.lowercase),
        joint=params.joint,
    )
    save_tokenizers(tokenizers, output / "tokenizer")
    metrics: dict[str, Any] = {
        "learnt_tokens": {
            name: tokenizer.size for name, tokenizer in tokenizers.by_folder.items() if tokenizer.size is not None
        }
    }
    histogram: list[tuple[int, int, str, str]] = []
    for split in SPLITS:
        name = f"{split}.parquet"
        statistics = {side: SideStatistics() for side in SIDES}
        write_table(output / name, "tokens", _tokenized(input_folder / name, tokenizers, statistics, split))
        metrics[split] = {"sentences": statistics["source"].sentences}
        for side in SIDES:
            metrics[split][side] = statistics[side].metrics()
            histogram += [(length, count, side, split) for length, count in sorted(statistics[side].lengths.items())]
    write_json(reports / "metrics.json", metrics)
    write_csv(reports / "lengths.csv", ("length", "sentences", "side", "split"), histogram)


class _Column:
    """One column of text of a table that can be iterated again and again, streamed from the disk each time."""

    def __init__(self, path: Path, column: str) -> None:
        self._path, self._column = path, column

    def __iter__(self) -> Iterator[str]:
        for batch in read_batches(self._path, "sentences", [self._column]):
            texts: list[Any] = batch.column(0).to_pylist()
            yield from texts


def _tokenized(
    path: Path, tokenizers: Tokenizers, statistics: dict[str, SideStatistics], split: str
) -> Iterator[dict[str, Any]]:
    rows = open_table(path, "sentences").metadata.num_rows
    with tqdm(total=rows, desc=f"tokenize {split}", unit=" sentences", disable=None) as progress:
        for batch in read_batches(path, "sentences", ["id", *SIDES]):
            columns: dict[str, Any] = {"id": batch.column("id")}
            for side, tokenizer in zip(SIDES, (tokenizers.source, tokenizers.target), strict=True):
                texts: list[Any] = batch.column(side).to_pylist()
                tokenized = tokenizer.encode_batch(texts)
                statistics[side].add(tokenizer, texts, tokenized)
                columns[f"{side}_tokens"] = pa.array(tokenized, pa.list_(pa.field("element", pa.string())))
            progress.update(batch.num_rows)
            yield columns


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
