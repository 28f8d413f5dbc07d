"""Tables of ids: the sentence pairs of a split in memory, or its sources read part by part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stageformer.artifacts.header import SPLITS, rerun_hint
from stageformer.artifacts.tables import check_table, open_table, read_batches, read_table
from stageformer.batching.sentences import Ints, Sentences
from stageformer.errors import StageformerError
from stageformer.text.vocabulary import Vocabularies


@dataclass(frozen=True)
class Pairs:
    """The pairs of one split. Sources end with <eos>; targets begin with <bos> and end with <eos>."""

    ids: Ints
    """``[sentences]``: the sentence ids of the artifacts"""
    source: Sentences
    target: Sentences

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class StoredSentences:
    """The sources of one split, of which only some are in memory at a time: their tokens stay in the table."""

    path: Path
    ids: Ints
    """``[sentences]``: the sentence ids of the artifacts"""
    lengths: Ints
    """Tokens of each sentence, ``<eos>`` included, ``[sentences]``"""

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, rows: range) -> Sentences:
        """Return the sentences of consecutive rows, by the row groups that hold them."""
        # Opened each time: the pages of an open, mapped file would stay in memory.
        with open_table(self.path, "ids") as file:
            sizes = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
            ends = np.cumsum(sizes)
            first, last = np.searchsorted(ends, [rows.start, max(rows.stop - 1, rows.start)], side="right")
            groups = list(range(first, min(last + 1, len(sizes))))
            column = file.read_row_groups(groups, columns=["source_ids"])["source_ids"].combine_chunks()
        before = int(ends[first] - sizes[first]) if groups else 0
        return Sentences.of_column(column.slice(rows.start - before, len(rows)))


def read_pairs(path: Path, vocabularies: Vocabularies, max_length: int | None = None) -> Pairs:
    """Read a table of kind ``ids``, as the stage vocab writes it.

    Args:
        path: of the table
        vocabularies: of both sides
        max_length: positions of the model that is to read it; None: no model is

    Raises:
        StageformerError: on a bad artifact, one that was made with another vocabulary, on an id that the vocabulary
            does not have, and on sentences that are longer.
    """
    check_table(path, "ids", vocabularies.parts)
    table = read_table(path, "ids")
    pairs = Pairs(
        ids=table["id"].to_numpy().astype(np.int64),
        source=Sentences.of_column(table["source_ids"].combine_chunks()),
        target=Sentences.of_column(table["target_ids"].combine_chunks()),
    )
    _check_known(pairs.source, path, "source", pairs.ids, len(vocabularies.source))
    _check_known(pairs.target, path, "target", pairs.ids, len(vocabularies.target))
    if max_length is not None:
        check_lengths(pairs, path.stem, max_length)
    return pairs


def count_characters(path: Path) -> int:
    """Return the characters of all sources of a table of kind ``sentences``, as the stage ingest writes it.

    Raises:
        StageformerError: on a bad artifact.
    """
    batches = read_batches(path, "sentences", ["source"])
    texts = (str(text) for batch in batches for text in batch["source"].to_pylist())
    return sum(map(len, texts))


def require_targets(pairs: Pairs) -> None:
    """Raise StageformerError if no target has a token: then the corpus has one side alone."""
    if len(pairs) and int(pairs.target.lengths.max()) <= _EMPTY_TARGET:
        raise StageformerError(
            "no sentence of train has a target: the corpus has one side alone; `dvc repro encode` is as far as that "
            "goes, and a decoder needs pairs (see ingest.files.target_column)"
        )


_EMPTY_TARGET = 2
"""Length of a target without tokens: <bos> and <eos>."""


def open_sources(path: Path, vocabulary_size: int) -> StoredSentences:
    """Open the sources of a table of kind ``ids``, as the stage vocab writes it, after a check of every id.

    Raises:
        StageformerError: on a bad artifact, and on an id that the vocabulary does not have.
    """
    num_rows = open_table(path, "ids").metadata.num_rows
    ids, lengths = np.empty(num_rows, dtype=np.int64), np.empty(num_rows, dtype=np.int64)
    start = 0
    for batch in read_batches(path, "ids", ["id", "source_ids"]):
        rows = slice(start, start + len(batch))
        ids[rows] = batch["id"].to_numpy()
        sources = Sentences.of_column(batch["source_ids"])
        _check_known(sources, path, "source", ids[rows], vocabulary_size)
        lengths[rows] = sources.lengths
        start = rows.stop
    return StoredSentences(path, ids, lengths)


def _check_known(sentences: Sentences, path: Path, name: str, ids: Ints, size: int) -> None:
    """Raise StageformerError, which names the first such sentence, if an id is not in a vocabulary of this size."""
    unknown = np.flatnonzero((sentences.flat < 0) | (sentences.flat >= size))
    if len(unknown):
        row = int(np.searchsorted(sentences.offsets, unknown[0], side="right")) - 1
        raise StageformerError(
            f"{path}: the {name} of sentence {ids[row]} holds the id {sentences.flat[unknown[0]]}, but the "
            f"vocabulary has {size} entries{rerun_hint('ids')}"
        )


def check_splits(folder: Path, vocabularies: Vocabularies, max_length: int) -> None:
    """Check, before anything is trained, that every sentence of every split fits the table of positions.

    Args:
        folder: of the tables of ids
        vocabularies: of both sides
        max_length: the number of positions

    Raises:
        StageformerError: some sentences do not, or a table is missing or damaged.
    """
    for split in SPLITS:
        read_pairs(folder / f"{split}.parquet", vocabularies, max_length)


def check_lengths(pairs: Pairs, split: str, max_length: int) -> None:
    """Check, before anything is computed, that every sentence fits the table of positions.

    Raises:
        StageformerError: some do not; it counts them and names the longest.
    """
    for side in ("source", "target"):
        lengths = getattr(pairs, side).lengths
        too_long = int((lengths > max_length).sum())
        if too_long:
            longest = int(lengths.argmax())
            raise StageformerError(
                f"{split}: {too_long} {side} sentences are longer than embed.max_length ({max_length} tokens); the "
                f"longest has {lengths[longest]} (id {pairs.ids[longest]}); raise embed.max_length, or lower "
                "ingest.max_characters"
            )
