"""The attention weights of a model at work on one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from stageformer.model.attention import MultiHeadAttention
from stageformer.model.transformer import Transformer

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AttentionWeights:
    """Each row of weights sums to 1: how much one position takes from each other."""

    encoder: Floats
    """``[layers, H, S, S]``: from each source token (row) to each source token"""
    decoder: Floats
    """``[layers, H, T, T]``: from each target token, <bos> first, to itself and those before it"""
    cross: Floats
    """``[layers, H, T, S]``: from each target token, <bos> first, to each source token, while the next is predicted"""


@torch.no_grad()
def attention_weights(model: Transformer, source_ids: Sequence[int], target_ids: Sequence[int]) -> AttentionWeights:
    """Return every attention weight of the model, in eval mode, on one sentence pair.

    Args:
        model: the model
        source_ids: ids of the source, <eos> at the end
        target_ids: what the decoder reads, <bos> first
    """
    found: dict[nn.Module, Floats] = {}

    def keep(module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        assert isinstance(module, MultiHeadAttention)
        found[module] = module.trace(*arguments, **options).weights[0].float().cpu().numpy()

    device = model.encoder.embedding.weight.device
    modules = [module for module in model.modules() if isinstance(module, MultiHeadAttention)]
    hooks = [module.register_forward_pre_hook(keep, with_kwargs=True) for module in modules]
    try:
        model(torch.tensor([list(source_ids)], device=device), torch.tensor([list(target_ids)], device=device))
    finally:
        for hook in hooks:
            hook.remove()

    def stack(layers: nn.ModuleList, name: str) -> Floats:
        return np.stack([found[getattr(layer, name)] for layer in layers])

    return AttentionWeights(
        encoder=stack(model.encoder.layers, "self_attention"),
        decoder=stack(model.decoder.layers, "self_attention"),
        cross=stack(model.decoder.layers, "cross_attention"),
    )
