"""Sentence pairs as ids, in flat arrays: two integers a token, whatever the lengths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stageformer.artifacts.header import rerun_hint
from stageformer.artifacts.tables import read_table
from stageformer.errors import StageformerError
from stageformer.text.vocabulary import Vocabularies

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """The sentences of one side: all ids in a row, and where each sentence starts."""

    flat: npt.NDArray[np.int32]
    """``[tokens]``"""
    offsets: Ints
    """``[sentences + 1]``"""

    @cached_property
    def lengths(self) -> Ints:
        """Tokens of each sentence, ``[sentences]``."""
        return np.diff(self.offsets)

    def padded(self, rows: Ints, pad_id: int) -> tuple[Tensor, Tensor]:
        """Return the sentences ``rows [B]`` as ids ``[B, S]`` and presence ``[B, S]`` (True where there is a token)."""
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        steps = np.arange(lengths.max(initial=1))
        present = steps < lengths[:, None]
        index = np.where(present, starts[:, None] + steps, 0)
        ids = np.where(present, self.flat[index], pad_id)
        return torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(present)

    def part(self, rows: range) -> Side:
        """Return the sentences of consecutive rows; the ids are not copied."""
        offsets = self.offsets[rows.start : rows.stop + 1]
        return Side(self.flat[offsets[0] : offsets[-1]], offsets - offsets[0])

    def check_known(self, path: Path, name: str, ids: Ints, size: int) -> None:
        """Check that a vocabulary of ``size`` entries has all ids.

        Args:
            path: the table, for the message.
            name: ``source`` or ``target``, for the message.
            ids: sentence ids, ``[sentences]``, for the message.
            size: number of entries of the vocabulary.

        Raises:
            StageformerError: it has not; it names the first sentence with such an id.
        """
        unknown = np.flatnonzero((self.flat < 0) | (self.flat >= size))
        if len(unknown):
            sentence = int(np.searchsorted(self.offsets, unknown[0], side="right")) - 1
            raise StageformerError(
                f"{path}: the {name} of sentence {ids[sentence]} holds the id {self.flat[unknown[0]]}, but the "
                f"vocabulary has {size} entries{rerun_hint('ids')}"
            )


@dataclass(frozen=True)
class Pairs:
    """The pairs of one split. Sources end with <eos>; targets begin with <bos> and end with <eos>."""

    ids: Ints
    """``[sentences]``: the sentence ids of the artifacts"""
    source: Side
    target: Side

    def __len__(self) -> int:
        return len(self.ids)


def read_pairs(path: Path, vocabularies: Vocabularies) -> Pairs:
    """Read a table of kind ``ids``, as the stage vocab writes it.

    Raises:
        StageformerError: on a bad artifact, and on an id that the vocabulary does not have.
    """
    table = read_table(path, "ids")
    pairs = Pairs(
        ids=table["id"].to_numpy().astype(np.int64),
        source=side_of(table["source_ids"].combine_chunks()),
        target=side_of(table["target_ids"].combine_chunks()),
    )
    pairs.source.check_known(path, "source", pairs.ids, len(vocabularies.source))
    pairs.target.check_known(path, "target", pairs.ids, len(vocabularies.target))
    return pairs


def side_of(lists: Any) -> Side:
    """Return the sentences of a column of ids, a ``pyarrow.ListArray``; the ids are not copied."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    flat = lists.values.to_numpy()[offsets[0] : offsets[-1]]
    return Side(flat=flat, offsets=offsets - offsets[0])


def check_lengths(pairs: Pairs, split: str, max_length: int) -> None:
    """Check, before anything is trained, that every sentence fits the table of positions.

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
