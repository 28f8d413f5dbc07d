"""The decoder: embedding, N layers, a last norm when the layers are pre-norm, and the output projection."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.embedding import Embedding
from stageformer.model.layers import DecoderLayer, LayerCache
from stageformer.model.masks import padding_mask


@dataclass
class DecoderCache:
    """What the decoder remembers between the steps of decoding: B sentences with N / B hypotheses each."""

    layers: list[LayerCache]
    memory_mask: Tensor | None
    """``[B, 1, 1, S]``"""
    length: int = 0
    """steps done so far"""

    def select_hypotheses(self, rows: Tensor) -> None:
        """Keep the hypotheses ``rows [M]`` (indices into N) in that order; the sentences stay."""
        for layer in self.layers:
            layer.key, layer.value = self._select(layer.key, rows), self._select(layer.value, rows)

    def _select(self, stored: Tensor, rows: Tensor) -> Tensor:
        """Copy ``rows [M]`` of ``stored [N, H, max_length, d_k]``: only what is filled, since every step does it."""
        selected = stored.new_empty((len(rows), *stored.shape[1:]))
        selected[:, :, : self.length] = stored[:, :, : self.length].index_select(0, rows)
        return selected

    def select_sentences(self, sentences: Tensor) -> None:
        """Keep the memory of the sentences ``[M]`` (indices into B) in that order; the hypotheses stay."""
        for layer in self.layers:
            layer.memory_key, layer.memory_value = layer.memory_key[sentences], layer.memory_value[sentences]
        if self.memory_mask is not None:
            self.memory_mask = self.memory_mask[sentences]


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

    def start(
        self, memory: Tensor, source_present: Tensor | None, max_length: int, hypotheses: int = 1
    ) -> DecoderCache:
        """Prepare decoding step by step: project the memory once, and make room for the keys and values to come.

        Args:
            memory: ``[B, S, D]``
            source_present: ``[B, S]`` boolean; None: everywhere
            max_length: the largest number of steps
            hypotheses: hypotheses a sentence (N = B * hypotheses)
        """
        batch = memory.size(0)
        layers = []
        for layer in self.layers:
            assert isinstance(layer, DecoderLayer)
            key, value = layer.cross_attention.project_key_value(memory)
            shape = (batch * hypotheses, key.size(1), max_length, key.size(3))
            layers.append(LayerCache(key, value, key.new_empty(shape), key.new_empty(shape)))
        return DecoderCache(layers, None if source_present is None else padding_mask(source_present))

    def step(self, token_ids: Tensor, cache: DecoderCache) -> Tensor:
        """Feed the newest token of each hypothesis, ``[N]``; returns the hidden state after it, ``[N, D]``."""
        x = self.embedding(token_ids[:, None], start=cache.length)
        for layer, layer_cache in zip(self.layers, cache.layers, strict=True):
            assert isinstance(layer, DecoderLayer)
            x = layer.step(x, layer_cache, cache.memory_mask, cache.length)
        cache.length += 1
        hidden: Tensor = self.norm(x)
        return hidden[:, 0]
