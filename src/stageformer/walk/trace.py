"""Every matrix of a model while it translates one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stageformer.figures.traces import trace_attention
from stageformer.model.attention import MultiHeadAttention
from stageformer.model.layers import DecoderLayer, EncoderLayer, FeedForward, Sublayer
from stageformer.model.transformer import Decoder, Encoder, Transformer

Floats = npt.NDArray[np.float32]

SUBLAYERS = {"encoder": ("self_attention", "feed_forward"),
             "decoder": ("self_attention", "cross_attention", "feed_forward")}  # fmt: skip
"""What each layer of a stack is made of, in the order of the computation."""


@torch.no_grad()
def trace(model: Transformer, source_ids: Sequence[int], target_ids: Sequence[int]) -> dict[str, Floats]:
    """Run a model once and return every matrix on the way, by name.

    The decoder reads the whole translation under the causal mask. Row t of each of its matrices is what it computes
    when it has read t + 1 tokens, so that one run holds every step of the search.

    Args:
        model: in eval mode
        source_ids: of the source, <eos> at the end, ``[S]``
        target_ids: what the decoder reads, <bos> first, ``[T]``

    Returns:
        Names are ``encoder.1.self_attention.query``: stack, layer from 1, sub-layer, matrix. Of each attention, the
        fields of :class:`~stageformer.model.attention.AttentionTrace`, ``[H, T, d_k]`` or ``[H, T, S]``; of each
        feed-forward network ``hidden [T, F]`` and ``output [T, D]``; of each sub-layer ``input``, ``read`` (what the
        function reads: the input, or the norm of it), ``sum`` and ``after``, ``[T, D]``. Beside them
        ``encoder.embedding.{rows,scaled,positions,sum}``, ``encoder.last``, ``encoder.output``, the same of the
        decoder, and ``decoder.memory``, what its cross-attention reads, ``[S, D]``.
    """
    found: dict[str, Tensor] = {}
    hooks = [*_watch_stack(found, "encoder", model.encoder), *_watch_stack(found, "decoder", model.decoder)]
    try:
        attention = trace_attention(model, source_ids, target_ids)
    finally:
        for hook in hooks:
            hook.remove()
    stacks: tuple[tuple[str, Encoder | Decoder, Sequence[int]], ...]
    stacks = (("encoder", model.encoder, source_ids), ("decoder", model.decoder, target_ids))
    for name, stack, ids in stacks:
        embedding = stack.embedding
        rows = embedding.weight[torch.tensor(list(ids))]  # [T, D]
        found |= {f"{name}.embedding.rows": rows, f"{name}.embedding.scaled": rows * embedding.scale}
        if embedding.positions is not None:
            found[f"{name}.embedding.positions"] = embedding.positions[: len(ids)]
        for number, layer in enumerate(stack.layers, start=1):
            for sublayer in SUBLAYERS[name][:-1]:
                traced = attention[getattr(layer, sublayer)]
                for field, value in traced.matrices._asdict().items():
                    found[f"{name}.{number}.{sublayer}.{field}"] = value[0]
                if sublayer == "cross_attention":
                    found["decoder.memory"] = traced.key_input[0]
    return _as_arrays(found)


def weights(model: Transformer) -> dict[str, Floats]:
    """Return the matrices that the sub-layers multiply by from the right, by names as those of :func:`trace`.

    Of each attention ``projection.query [H, D, d_k]``, ``projection.key`` and ``projection.value [H, D, d_v]``, which
    are W^Q, W^K and W^V of every head, and ``out_projection [H * d_v, D]``, W^O; of each feed-forward network
    ``inner [D, F]`` and ``outer [F, D]``, W_1 and W_2.
    """
    found: dict[str, Tensor] = {}
    for name, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        for number, layer in enumerate(stack.layers, start=1):
            for sublayer in SUBLAYERS[name]:
                place, module = f"{name}.{number}.{sublayer}", getattr(layer, sublayer)
                if isinstance(module, MultiHeadAttention):
                    for part, weight in _projections(module).items():
                        found[f"{place}.projection.{part}"] = weight
                    found[f"{place}.out_projection"] = module.out_projection.weight.T
                elif isinstance(module, FeedForward):
                    found[f"{place}.inner"] = module.inner.weight.T
                    found[f"{place}.outer"] = module.outer.weight.T
    return _as_arrays(found)


def _as_arrays(found: dict[str, Tensor]) -> dict[str, Floats]:
    return {name: np.ascontiguousarray(value.detach().float().cpu().numpy()) for name, value in found.items()}


def _projections(attention: MultiHeadAttention) -> dict[str, Tensor]:
    """Return W^Q, W^K and W^V of every head, by what they make: ``[H, D, d_k]``, and of the value ``[H, D, d_v]``."""
    parts = torch.split(attention.in_projection.weight, attention.widths)
    heads = (part.view(attention.num_heads, -1, part.size(1)).transpose(1, 2) for part in parts)
    return dict(zip(("query", "key", "value"), heads, strict=True))


def _watch_stack(found: dict[str, Tensor], name: str, stack: Encoder | Decoder) -> list[Any]:
    """Let the modules of a stack put what they read and return into ``found``; return the hooks to remove."""
    hooks: list[Any] = []

    def watch(module: nn.Module, read: str | None = None, returned: str | None = None) -> None:
        hooks.append(module.register_forward_hook(_keeper(found, read, returned)))

    watch(stack.embedding, returned=f"{name}.embedding.sum")
    watch(stack.norm, read=f"{name}.last", returned=f"{name}.output")
    for number, layer in enumerate(stack.layers, start=1):
        for kind in SUBLAYERS[name]:
            place = f"{name}.{number}.{kind}"
            sublayer = getattr(layer, f"{kind}_sublayer")
            assert isinstance(sublayer, Sublayer)
            watch(sublayer, read=f"{place}.input", returned=f"{place}.after")
            if sublayer.attention_only:
                continue
            if sublayer.pre_norm:
                watch(sublayer.norm, returned=f"{place}.read")
            else:
                watch(sublayer.norm, read=f"{place}.sum")
            if kind == "feed_forward":
                assert isinstance(layer, EncoderLayer | DecoderLayer)
                assert isinstance(layer.feed_forward, FeedForward)
                watch(layer.feed_forward.outer, read=f"{place}.hidden", returned=f"{place}.output")
    return hooks


def _keeper(found: dict[str, Tensor], read: str | None, returned: str | None) -> Callable[..., None]:
    def keep(module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
        if read is not None:
            found[read] = arguments[0][0]
        if returned is not None:
            found[returned] = output[0]

    return keep
