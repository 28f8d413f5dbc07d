"""The seam of what makes memory: our own encoder, or anything else that turns sentences into vectors.

Nothing after this seam asks which maker it was: the stage encode, the store, the decoder and the search know only the
fingerprint and the width.

A maker is one file of this package, with a class like :class:`MemorySource` and a function that opens what the stage
``train_encoder`` left for it::

    def open_source(
        path: Path, pad_id: int, device: torch.device, layers: str | list[int], asker: Asker | None
    ) -> MemorySource

``layers`` is ``encode.layers``, for a maker that has layers; ``asker`` is for a maker that asks somebody else.

Its name is that of the objective of ``train_encoder`` that chooses it; ``encoder.py`` has all objectives without a file
of their own.

Shape letters: B batch, S longest sentence, E width of the memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from torch import Tensor

from stageformer.batching.sentences import Ints, Sentences


class MemorySource(Protocol):
    """Makes the memory of sentences."""

    @property
    def fingerprint(self) -> str:
        """Names the maker: equal fingerprints mean equal memory of equal sentences."""

    @property
    def width(self) -> int:
        """E; the decoder projects it to its d_model where they differ."""

    @property
    def kept(self) -> list[int] | None:
        """The layers that stand side by side in each vector, of a maker that has layers; None: its output alone."""

    def lengths(self, tokens: Ints) -> Ints:
        """Return how many vectors each sentence gets, ``[sentences]``, from its number of tokens, ``[sentences]``."""

    def prepare(self, sentences: Iterable[Sentences], folder: Path | None = None) -> None:
        """Hear of all sentences that are to come before the first of them is encoded.

        Args:
            sentences: B sources in each part, as for :meth:`encode`
            folder: gets a record of what the maker was told by others, of a maker that is; None: it is not wanted
        """

    def encode(self, sentences: Sentences) -> tuple[Tensor, Tensor]:
        """Make the memory of a batch.

        Args:
            sentences: B sources as ids, <eos> at the end of each

        Returns:
            Values ``[B, S, E]``, whatever at padding, and presence ``[B, S]``, True where there is a vector. The
            vectors of a sentence come first, as many as :meth:`lengths` says. On any device.
        """

    def set_dropout(self, on: bool) -> None:
        """Encode with the maker's own dropout from here on, or without it, as at the beginning.

        Raises:
            StageformerError: ``on``, and the maker has no dropout.
        """
