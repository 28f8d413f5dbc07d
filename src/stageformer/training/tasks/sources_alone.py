"""What the tasks of an encoder alone have in common: they read the sources, and predict tokens of the sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Ints
from stageformer.model.transformer import Encoder


@dataclass
class SourcesAlone:
    """An encoder, and the sentences of each split, of which the sources are read. See :class:`.base.Task`."""

    model: Encoder
    splits: Mapping[str, Pairs]

    def ids(self, split: str) -> Ints:
        """Return the sentence ids of a split."""
        return self.splits[split].ids

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """Return the lengths of the sources twice: the target is the source itself."""
        lengths = self.splits[split].source.lengths
        return lengths, lengths
