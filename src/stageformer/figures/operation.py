"""Scaled dot-product attention of one head on one sentence, as plain matrices (section 3.2.1 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stageformer.figures.traces import trace_attention
from stageformer.model.attention import MultiHeadAttention
from stageformer.model.transformer import Transformer

Floats = npt.NDArray[np.float32]
Kind = Literal["encoder", "decoder", "cross"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Self-attention of the encoder, self-attention of the decoder, attention of the decoder to the encoder output."""


@dataclass(frozen=True)
class Operation:
    """Every matrix of the operation: T queries, S keys and values, d_k columns a head, d_v of the values.

    ``query = query_input @ query_weight + query_bias``, key and value likewise from ``key_input``;
    ``scores = query @ key.T / sqrt(d_k)``, minus infinity where ``mask`` forbids; ``weights = softmax(scores)`` row by
    row; ``output = weights @ value``.
    """

    kind: Kind
    layer: int
    """from 1"""
    num_layers: int
    head: int
    """from 1"""
    num_heads: int
    norm: Literal["pre", "post", "none"]
    """where the layer norm is: before the attention, after the residual sum, or nowhere"""
    query_tokens: Sequence[str]
    key_tokens: Sequence[str]
    query_input: Floats
    """``[T, D]``"""
    key_input: Floats
    """``[S, D]``"""
    query_weight: Floats
    """``[D, d_k]``: the columns of this head"""
    key_weight: Floats
    value_weight: Floats
    """``[D, d_v]``"""
    query_bias: Floats
    """``[d_k]``"""
    key_bias: Floats
    value_bias: Floats
    """``[d_v]``"""
    query: Floats
    """``[T, d_k]``"""
    key: Floats
    """``[S, d_k]``"""
    value: Floats
    """``[S, d_v]``"""
    mask: npt.NDArray[np.bool_]
    """``[T, S]``: True = may attend"""
    scores: Floats
    """``[T, S]``"""
    weights: Floats
    """``[T, S]``"""
    output: Floats
    """``[T, d_v]``"""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it: matrices as lists of rows."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()
        }


def attention_operations(
    model: Transformer,
    source_ids: Sequence[int],
    target_ids: Sequence[int],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    *,
    kinds: Sequence[Kind],
    layer: int,
    head: int,
) -> list[Operation]:
    """Return what one head does while the model reads a sentence pair.

    Args:
        model: in eval mode
        source_ids: ids of the source, <eos> at the end
        target_ids: what the decoder reads, <bos> first
        source_tokens: the token of each source id
        target_tokens: the token of each target id
        kinds: one operation for each
        layer: number of the layer, from 1; of the encoder for ``encoder``, of the decoder for the others
        head: number of the head, from 1
    """
    traced = trace_attention(model, source_ids, target_ids)
    operations = []
    for kind in kinds:
        stack = model.encoder if kind == "encoder" else model.decoder
        config = model.config.encoder if kind == "encoder" else model.config.decoder
        module = getattr(stack.layers[layer - 1], "cross_attention" if kind == "cross" else "self_attention")
        assert isinstance(module, MultiHeadAttention)
        found = traced[module]
        weights, biases = (
            [_floats(part.chunk(config.num_heads)[head - 1].T) for part in torch.split(maps, module.widths)]
            for maps in (module.in_projection.weight, module.in_projection.bias[:, None])
        )
        query, key, value, scores, attention, output = (
            _floats(matrix[0, head - 1])
            for matrix in (
                found.matrices.query, found.matrices.key, found.matrices.value,
                found.matrices.scores, found.matrices.weights, found.matrices.heads,
            )
        )  # fmt: skip
        operations.append(
            Operation(
                kind=kind, layer=layer, num_layers=config.num_layers, head=head, num_heads=config.num_heads,
                norm="none" if config.attention_only else "pre" if config.norm == "pre" else "post",
                query_tokens=source_tokens if kind == "encoder" else target_tokens,
                key_tokens=target_tokens if kind == "decoder" else source_tokens,
                query_input=_floats(found.query_input[0]), key_input=_floats(found.key_input[0]),
                query_weight=weights[0], key_weight=weights[1], value_weight=weights[2],
                query_bias=biases[0][0], key_bias=biases[1][0], value_bias=biases[2][0],
                query=query, key=key, value=value,
                mask=~np.isneginf(scores), scores=scores, weights=attention, output=output,
            )
        )  # fmt: skip
    return operations


def _floats(tensor: Tensor) -> Floats:
    values: Floats = tensor.detach().float().cpu().numpy()
    return values
