"""The decoder: embedding, N layers, a last norm when the layers are pre-norm, and the output projection."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.embedding import Embedding
from stageformer.model.layers import DecoderLayer
from stageformer.model.masks import padding_mask


class Decoder(nn.Module):
    """Predict each next target token from those before it and the memory."""

    def __init__(self, embedding: EmbeddingConfig, stack: StackConfig, *, tie_output: bool = True) -> None:
        """Make the embedding, the layers and the projection (the embedding itself, where tied)."""
        super().__init__()
        self.embedding = Embedding(embedding, stack.embedding_dropout)
        self.layers = nn.ModuleList(DecoderLayer(stack) for _ in range(stack.num_layers))
        final = stack.norm == "pre" and not stack.attention_only
        self.norm = nn.LayerNorm(stack.d_model) if final else nn.Identity()
        self.projection = (
            None if tie_output else nn.Parameter(torch.randn_like(self.embedding.weight) * stack.d_model**-0.5)
        )

    @property
    def output_weight(self) -> Tensor:
        """The matrix ``[V, D]`` that turns hidden states into scores of tokens."""
        return self.embedding.weight if self.projection is None else self.projection

    def forward(
        self,
        target_ids: Tensor,
        memory: Tensor,
        source_present: Tensor | None = None,
        tgt_mask: Tensor | None = None,
    ) -> Tensor:
        """Decode all positions at once (teacher forcing).

        Args:
            target_ids: ``[B, T]``, beginning with <bos>. Padding stands at the end, where the causal mask hides it.
            memory: ``[B, S, D]``
            source_present: ``[B, S]`` boolean, True where there is a token; None: everywhere
            tgt_mask: broadcastable to ``[B, H, T, T]``; None means the causal mask

        Returns:
            The hidden states ``[B, T, D]``; :meth:`project` turns them into scores.
        """
        memory_mask = None if source_present is None else padding_mask(source_present)
        x = self.embedding(target_ids)
        for layer in self.layers:
            x = layer(x, memory, memory_mask, tgt_mask)
        hidden: Tensor = self.norm(x)
        return hidden

    def project(self, hidden: Tensor) -> Tensor:
        """Turn hidden states ``[..., D]`` into scores of tokens before the softmax ``[..., V]``."""
        return F.linear(hidden, self.output_weight)
