"""The decoder one target position at a time, with everything cached that it need not compute again.

It is separate from the decoder itself, so that training does not depend on how decoding is done.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from stageformer.decoding.language_model import LanguageModel
from stageformer.kernels import attention as kernels
from stageformer.kernels.choice import accelerated_by
from stageformer.model.attention import attention, join_heads, padding_mask
from stageformer.model.layers import DecoderLayer, EncoderLayer
from stageformer.model.transformer import Decoder

BLOCK = 16
"""Steps that the cache makes room for at a time: most sentences end long before the longest that is allowed."""


@dataclass
class LayerCache:
    """Keys and values of one decoder layer, in the layout of their :class:`IncrementalDecoder`."""

    memory_key: Tensor
    """computed once per sentence"""
    memory_value: Tensor
    key: Tensor
    """preallocated; filled up to the current step"""
    value: Tensor


class IncrementalDecoder:
    """Decoding step by step, for B sentences with K hypotheses each.

    The hypotheses of a sentence take the place of target positions, so that they share the keys and values of its
    memory, and those of their past: hypotheses that a beam search drops, copies or reorders are not moved in the cache.
    Their keys and values stay where they were computed, and one small table for all layers says whose past is whose.

    Several hypotheses are enough for matrix products; their cache is ``[B, H, steps, K, d_k]``, and that of the memory
    ``[B, H, S, d_k]``. For one hypothesis, on the CPU, a product and a sum over whole tensors are two to four times as
    fast as many products of a vector and a small matrix; the caches are ``[steps, B, H, d_k]`` and ``[S, B, H, d_k]``.

    Args:
        decoder: in eval mode; a language model begins again after <bos>, which no later token sees
        memory: ``[B, S, E]``; E is the width of the memory, which the decoder projects to D where they differ
        present: ``[B, S]`` boolean, True where there is a source token
        hypotheses: hypotheses per sentence, K
    """

    def __init__(
        self, decoder: Decoder | LanguageModel, memory: Tensor, present: Tensor, hypotheses: int = 1
    ) -> None:
        self._decoder = decoder
        self._layers = [layer for layer in decoder.layers if isinstance(layer, DecoderLayer | EncoderLayer)]
        self._one = hypotheses == 1
        memory = decoder.bridge(memory)  # [B, S, D]
        self._batch_dim, self._step_dim = (1, 0) if self._one else (0, 2)
        self._caches = [self._start(layer, memory, present, hypotheses) for layer in self._layers]
        self._memory_bias = None if bool(present.all()) else self._bias_of(present).to(memory.dtype)
        """``[B, 1, 1, S]``, or ``[S, B, 1]`` for one: 0 at a token, minus infinity at padding; None: no padding"""
        self._ancestors = None if self._one else memory.new_empty(memory.size(0), hypotheses, 0, hypotheses)
        """``[B, K, steps, K]``: 0 where the place (step, k) of the cache is in the past of a hypothesis, or will be its
        own; minus infinity elsewhere. None: one hypothesis per sentence"""
        self.length = 0
        """steps so far"""
        self._forgets_bos = isinstance(decoder, LanguageModel)

    def step(self, token_ids: Tensor) -> Tensor:
        """Feed the newest token of each hypothesis, ``[B, K]``; returns the hidden states after them, ``[B, K, D]``."""
        if self._forgets_bos and self.length == 1:
            self._forgets_bos, self.length = False, 0
            self._ancestors = None if self._ancestors is None else self._ancestors[:, :, :0]
        self._make_room()
        self.length += 1
        embedded = self._decoder.embedding(token_ids.reshape(-1, 1), start=self.length - 1)
        x = embedded.view(*token_ids.shape, -1)
        bias = None if self._ancestors is None else self._ancestors[:, None, :, : self.length].flatten(3)
        for layer, cache in zip(self._layers, self._caches, strict=True):
            x = self._step_layer(x, layer, cache, bias)
        hidden: Tensor = self._decoder.norm(x)
        return hidden

    def reorder(self, parents: Tensor) -> None:
        """Let each hypothesis continue another one of its sentence: ``parents [B, K]``, indices into K."""
        if self._ancestors is not None:
            past = self._ancestors[:, :, : self.length]
            past.copy_(past.gather(1, parents[:, :, None, None].expand_as(past)))

    def select_sentences(self, sentences: Tensor) -> None:
        """Keep the sentences ``[M]`` (indices into B), with their hypotheses, in that order."""
        for cache in self._caches:
            cache.memory_key = cache.memory_key.index_select(self._batch_dim, sentences)
            cache.memory_value = cache.memory_value.index_select(self._batch_dim, sentences)
            cache.key, cache.value = self._select(cache.key, sentences), self._select(cache.value, sentences)
        if self._memory_bias is not None:
            self._memory_bias = self._memory_bias.index_select(self._batch_dim, sentences)
        if self._ancestors is not None:
            self._ancestors = self._ancestors[sentences]

    def _select(self, stored: Tensor, sentences: Tensor) -> Tensor:
        """Copy what is filled of some sentences into a cache of as many steps."""
        filled = stored.narrow(self._step_dim, 0, self.length).index_select(self._batch_dim, sentences)
        return self._extended(filled, stored.size(self._step_dim))

    def _make_room(self) -> None:
        """Add a block to the cache where the next step finds it full."""
        if self.length % BLOCK:
            return
        for cache in self._caches:
            cache.key = self._extended(cache.key, self.length + BLOCK)
            cache.value = self._extended(cache.value, self.length + BLOCK)
        if self._ancestors is not None:
            sentences, hypotheses = self._ancestors.shape[:2]
            own = _bias(torch.eye(hypotheses, dtype=torch.bool, device=self._ancestors.device))  # [K, K]
            block = own[:, None].expand(sentences, hypotheses, BLOCK, hypotheses)
            self._ancestors = torch.cat([self._ancestors, block.to(self._ancestors.dtype)], dim=2)

    def _extended(self, stored: Tensor, steps: int) -> Tensor:
        """Return a copy with room for so many steps."""
        shape = list(stored.shape)
        shape[self._step_dim] = steps
        extended = stored.new_empty(shape)
        extended.narrow(self._step_dim, 0, stored.size(self._step_dim)).copy_(stored)
        return extended

    def _start(
        self, layer: DecoderLayer | EncoderLayer, memory: Tensor, present: Tensor, hypotheses: int
    ) -> LayerCache:
        # Of a language model, for the shapes alone: no layer reads the memory.
        attention = layer.cross_attention if isinstance(layer, DecoderLayer) else layer.self_attention
        key, value = attention.project_key_value(memory)  # [B, H, S, d_k]
        # A sentence of nothing but padding attends to all of it (see _bias_of), and finds zeros.
        value = value.masked_fill(~present[:, None, :, None], 0.0)
        if self._one:
            key, value = (part.permute(2, 0, 1, 3).contiguous() for part in (key, value))
            return LayerCache(key, value, *(part.new_empty(0, *part.shape[1:]) for part in (key, value)))
        past = [part.new_empty(*part.shape[:2], 0, hypotheses, part.size(-1)) for part in (key, value)]
        return LayerCache(key.contiguous(), value.contiguous(), *past)

    def _bias_of(self, present: Tensor) -> Tensor:
        """Return the bias that hides padding, except in a sentence of nothing but padding: that must not give NaN."""
        bias = _bias(padding_mask(present | ~present.any(1, keepdim=True)))  # [B, 1, 1, S]
        return bias[:, 0].permute(2, 0, 1) if self._one else bias

    def _step_layer(
        self, x: Tensor, layer: DecoderLayer | EncoderLayer, cache: LayerCache, bias: Tensor | None
    ) -> Tensor:
        """Map the newest positions ``x [B, K, D]`` to ``[B, K, D]``, and add their keys and values to the cache."""
        x = layer.self_attention_sublayer(x, lambda h: self._attend_to_past(h, layer, cache, bias))
        if isinstance(layer, DecoderLayer):
            x = layer.cross_attention_sublayer(x, lambda h: self._attend_to_memory(h, layer, cache))
        x = layer.feed_forward_sublayer(x, layer.feed_forward)
        return x

    def _attend_to_past(
        self, h: Tensor, layer: DecoderLayer | EncoderLayer, cache: LayerCache, bias: Tensor | None
    ) -> Tensor:
        module = layer.self_attention
        query, key, value = module.project(h, None)  # [B, H, K, d_k]
        cache.key.select(self._step_dim, self.length - 1).copy_(key[:, :, 0] if self._one else key)
        cache.value.select(self._step_dim, self.length - 1).copy_(value[:, :, 0] if self._one else value)
        keys, values = (stored.narrow(self._step_dim, 0, self.length) for stored in (cache.key, cache.value))
        if self._one:
            heads = attention_of_one(query, keys, values, None)
        else:
            heads = attention_of_hypotheses(query, keys.flatten(2, 3), values.flatten(2, 3), bias)
        output: Tensor = module.out_projection(join_heads(heads))
        return output

    def _attend_to_memory(self, h: Tensor, layer: DecoderLayer, cache: LayerCache) -> Tensor:
        module = layer.cross_attention
        attend = attention_of_one if self._one else attention_of_hypotheses
        heads = attend(module.project_query(h), cache.memory_key, cache.memory_value, self._memory_bias)
        output: Tensor = module.out_projection(join_heads(heads))
        return output


def _bias(mask: Tensor) -> Tensor:
    """Return what is added to the scores of attention: 0 where ``mask`` is True, minus infinity elsewhere.

    To make it costs more than the products of one position do; it is made once for all layers.
    """
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, -math.inf)


def _mask(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias == 0.0


@accelerated_by(kernels.attention_of_hypotheses)
def attention_of_hypotheses(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Attend from one position of K hypotheses to L others; returns heads ``[B, H, K, d_k]``.

    Args:
        query: ``[B, H, K, d_k]``
        key: ``[B, H, L, d_k]``
        value: ``[B, H, L, d_k]``
        bias: broadcastable to ``[B, H, K, L]``; no row of it is minus infinity throughout
    """
    return attention(query, key, value, _mask(bias))


@accelerated_by(kernels.attention_of_one)
def attention_of_one(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Attend from one position of one hypothesis to L others; returns heads ``[B, H, 1, d_k]``.

    Args:
        query: ``[B, H, 1, d_k]``
        key: ``[L, B, H, d_k]``
        value: ``[L, B, H, d_k]``
        bias: broadcastable to ``[L, B, H]``; no column of it is minus infinity throughout
    """
    key, value = (cached.permute(1, 2, 0, 3) for cached in (key, value))  # [B, H, L, d_k]
    mask = None if bias is None else _mask(bias.permute(1, 2, 0)[:, :, None])  # [B, H, 1, L]
    return attention(query, key, value, mask)
