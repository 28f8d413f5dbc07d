"""Sentences of ids in flat arrays, and how they are padded: one container and one convention for every room.

Shape letters: B sentences of a batch, S the longest of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ints = npt.NDArray[np.int64]
"""Numbers of rows, lengths, offsets, sentence ids."""
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sentences:
    """Sentences of ids: all ids in a row, and where each sentence starts. Two integers per token, whatever the lengths.

    A sequence of lists of ids, too: ``len``, one sentence by its row, and iteration.
    """

    flat: npt.NDArray[np.int32]
    """``[tokens]``"""
    offsets: Ints
    """``[sentences + 1]``: sentence ``row`` owns ``flat[offsets[row]:offsets[row + 1]]``"""

    @staticmethod
    def of(sentences: Iterable[Sequence[int]]) -> Sentences:
        """Return a copy of sentences that are lists of ids."""
        sentences = list(sentences)
        offsets = np.cumsum([0, *map(len, sentences)], dtype=np.int64)
        flat = np.fromiter(itertools.chain.from_iterable(sentences), dtype=np.int32, count=int(offsets[-1]))
        return Sentences(flat, offsets)

    @staticmethod
    def of_column(lists: Any) -> Sentences:
        """Return the sentences of a column of ids, a ``pyarrow.ListArray`` without nulls; the ids are not copied."""
        offsets = lists.offsets.to_numpy().astype(np.int64)
        flat = lists.values.to_numpy()[offsets[0] : offsets[-1]]
        return Sentences(flat, offsets - offsets[0])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> list[int]:
        if not 0 <= row < len(self):
            raise IndexError(f"no sentence {row} among {len(self)}")
        ids: list[int] = self.flat[self.offsets[row] : self.offsets[row + 1]].tolist()
        return ids

    def __iter__(self) -> Iterator[list[int]]:
        return (self[row] for row in range(len(self)))

    @cached_property
    def lengths(self) -> Ints:
        """Tokens of each sentence, ``[sentences]``."""
        return np.diff(self.offsets)

    def part(self, rows: range) -> Sentences:
        """Return the sentences of consecutive rows; the ids are not copied."""
        offsets = self.offsets[rows.start : rows.stop + 1]
        return Sentences(self.flat[offsets[0] : offsets[-1]], offsets - offsets[0])

    def take(self, rows: Ints) -> Sentences:
        """Return a copy of the sentences ``rows [B]``, in any order, also repeated."""
        lengths = self.lengths[rows]
        flat = self.flat[flat_places(self.offsets[rows], lengths)]
        return Sentences(flat, np.concatenate([[0], np.cumsum(lengths)]))

    def padded(self, pad_id: int) -> tuple[Tensor, Tensor]:
        """Return all sentences as one batch: ids ``[B, S]``, ``pad_id`` at the end of the shorter, and presence.

        Presence is ``[B, S]`` boolean, True where there is a token.
        """
        present = presence(self.lengths)
        ids = np.full(present.shape, pad_id, dtype=np.int64)
        ids[present] = self.flat
        return torch.from_numpy(ids), torch.from_numpy(present)


def presence(lengths: Ints, width: int | None = None) -> Bools:
    """Return where a batch of sentences of these lengths ``[B]`` has tokens: they come first, and padding follows.

    The tokens of a batch, taken where it is True, are those of the flat arrays, in the same order.

    Args:
        lengths: tokens of each sentence, ``[B]``
        width: S; None: the longest length

    Returns:
        ``[B, S]``, True where there is a token.
    """
    return np.arange(lengths.max(initial=0) if width is None else width) < lengths[:, None]


def flat_places(starts: Ints, lengths: Ints) -> Ints:
    """Return where the tokens of sentences are in a flat array, one sentence after another.

    Args:
        starts: where each sentence starts in the flat array, ``[B]``
        lengths: tokens of each sentence, ``[B]``

    Returns:
        ``[tokens]``
    """
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())
