"""The attention weights of a model at work on one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from stageformer.figures.traces import trace_attention
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


def attention_weights(model: Transformer, source_ids: Sequence[int], target_ids: Sequence[int]) -> AttentionWeights:
    """Return every attention weight of the model, in eval mode, on one sentence pair.

    Args:
        model: the model
        source_ids: ids of the source, <eos> at the end
        target_ids: what the decoder reads, <bos> first
    """
    traced = trace_attention(model, source_ids, target_ids)

    def stack(layers: nn.ModuleList, name: str) -> Floats:
        return np.stack([traced[getattr(layer, name)].matrices.weights[0].float().cpu().numpy() for layer in layers])

    return AttentionWeights(
        encoder=stack(model.encoder.layers, "self_attention"),
        decoder=stack(model.decoder.layers, "self_attention"),
        cross=stack(model.decoder.layers, "cross_attention"),
    )
