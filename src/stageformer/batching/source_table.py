"""The source side of a table of ids, of which only some rows are in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stageformer.artifacts.tables import open_table, read_batches
from stageformer.batching.pairs import Ints, Side, side_of


@dataclass(frozen=True)
class SourceTable:
    """The sources of one split: which there are and how long they are. Their tokens stay in the file."""

    path: Path
    ids: Ints
    """``[sentences]``: the sentence ids of the artifacts"""
    lengths: Ints
    """Tokens of each sentence, ``<eos>`` included, ``[sentences]``"""

    def read(self, rows: range) -> Side:
        """Return the sentences of consecutive rows, by the row groups that hold them."""
        # Opened each time: the pages of an open, mapped file would stay in memory.
        with open_table(self.path, "ids") as file:
            sizes = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
            ends = np.cumsum(sizes)
            first, last = np.searchsorted(ends, [rows.start, max(rows.stop - 1, rows.start)], side="right")
            groups = list(range(first, min(last + 1, len(sizes))))
            column = file.read_row_groups(groups, columns=["source_ids"])["source_ids"].combine_chunks()
        before = int(ends[first] - sizes[first]) if groups else 0
        return side_of(column.slice(rows.start - before, len(rows)))


def open_sources(path: Path, vocabulary_size: int) -> SourceTable:
    """Open the sources of a table of kind ``ids``, as the stage vocab writes it, after a check of every id.

    Raises:
        StageformerError: on a bad artifact, and on an id that the vocabulary does not have.
    """
    num_rows = open_table(path, "ids").metadata.num_rows
    ids, lengths = np.empty(num_rows, dtype=np.int64), np.empty(num_rows, dtype=np.int64)
    start = 0
    for batch in read_batches(path, "ids", ["id", "source_ids"]):
        part = slice(start, start + len(batch))
        ids[part] = batch["id"].to_numpy()
        side = side_of(batch["source_ids"])
        side.check_known(path, "source", ids[part], vocabulary_size)
        lengths[part] = side.lengths
        start = part.stop
    return SourceTable(path, ids, lengths)
