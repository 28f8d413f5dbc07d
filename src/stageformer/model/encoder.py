"""The encoder: embedding, N layers, and a last norm when the layers are pre-norm."""

from __future__ import annotations

from torch import Tensor, nn

from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.embedding import Embedding
from stageformer.model.layers import EncoderLayer
from stageformer.model.masks import padding_mask


class Encoder(nn.Module):
    """Turn source ids into the memory that the decoder reads."""

    def __init__(self, embedding: EmbeddingConfig, stack: StackConfig) -> None:
        """Make the embedding and the layers."""
        super().__init__()
        self.embedding = Embedding(embedding, stack.embedding_dropout)
        self.layers = nn.ModuleList(EncoderLayer(stack) for _ in range(stack.num_layers))
        final = stack.norm == "pre" and not stack.attention_only
        self.norm = nn.LayerNorm(stack.d_model) if final else nn.Identity()

    def forward(self, source_ids: Tensor, source_present: Tensor | None = None) -> Tensor:
        """Encode.

        Args:
            source_ids: ``[B, S]``
            source_present: ``[B, S]`` boolean, True where there is a token; None: everywhere

        Returns:
            The memory ``[B, S, D]``. Its rows at padding are meaningless and must be masked.
        """
        mask = None if source_present is None else padding_mask(source_present)
        x = self.embedding(source_ids)
        for layer in self.layers:
            x = layer(x, mask)
        memory: Tensor = self.norm(x)
        return memory
