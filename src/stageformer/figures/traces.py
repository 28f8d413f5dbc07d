"""Attention weights and matrices of a model on one sentence, for the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stageformer.model.attention import AttentionTrace, MultiHeadAttention
from stageformer.model.transformer import Transformer


@dataclass(frozen=True)
class Traced:
    """One attention operation: what went in, and every matrix of it."""

    query_input: Tensor
    """``[1, T, D]``: what the queries are projected from"""
    key_input: Tensor
    """``[1, S, D]``: what keys and values are projected from; the same object as ``query_input`` in self-attention"""
    matrices: AttentionTrace


@torch.no_grad()
def trace_attention(
    model: Transformer, source_ids: Sequence[int], target_ids: Sequence[int]
) -> dict[nn.Module, Traced]:
    """Run a model, in eval mode, on one sentence pair, and return what each of its attention modules did.

    Args:
        model: the model
        source_ids: ids of the source, <eos> at the end
        target_ids: what the decoder reads, <bos> first
    """
    found: dict[nn.Module, Traced] = {}

    def keep(module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        assert isinstance(module, MultiHeadAttention)
        query_input = arguments[0]
        key_input = arguments[1] if len(arguments) > 1 else query_input
        found[module] = Traced(query_input, key_input, module.trace(*arguments, **options))

    device = model.encoder.embedding.weight.device
    modules = [module for module in model.modules() if isinstance(module, MultiHeadAttention)]
    hooks = [module.register_forward_pre_hook(keep, with_kwargs=True) for module in modules]
    try:
        model(torch.tensor([list(source_ids)], device=device), torch.tensor([list(target_ids)], device=device))
    finally:
        for hook in hooks:
            hook.remove()
    return found


Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AttentionWeights:
    """Each row of weights sums to 1: how much one position takes from each other."""

    encoder: Floats
    """``[layers, H, S, S]``: from each source token (row) to each source token; none of an encoder of others"""
    decoder: Floats
    """``[layers, H, T, T]``: from each target token, <bos> first, to itself and those before it"""
    cross: Floats
    """``[layers, H, T, S]``: from each target token, <bos> first, to each source token, while the next is predicted"""


def attention_weights(model: Transformer, source_ids: Sequence[int], target_ids: Sequence[int]) -> AttentionWeights:
    """Return every attention weight of the model, in eval mode, on one sentence pair.

    Args:
        model: the model
        source_ids: ids of the source, <eos> at the end
        target_ids: what the decoder reads, <bos> first
    """
    traced = trace_attention(model, source_ids, target_ids)

    def stack(layers: nn.ModuleList, name: str) -> Floats:
        if not len(layers):  # an encoder of others has none of ours
            return np.empty((0, 0, 0, 0), np.float32)
        return np.stack([traced[getattr(layer, name)].matrices.weights[0].float().cpu().numpy() for layer in layers])

    return AttentionWeights(
        encoder=stack(model.encoder.layers, "self_attention"),
        decoder=stack(model.decoder.layers, "self_attention"),
        cross=stack(model.decoder.layers, "cross_attention"),
    )
