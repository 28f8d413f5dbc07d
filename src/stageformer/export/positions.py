"""The table of positions that every other engine wants to have."""

from __future__ import annotations

from torch import Tensor

from stageformer.model.embedding import Embedding


def position_table(embedding: Embedding) -> Tensor:
    """Return what is added at each position, ``[max_length, D]``: zeros in a model without positions."""
    if embedding.positions is None:
        return embedding.weight.new_zeros(embedding.config.max_length, embedding.config.d_model)
    return embedding.positions
