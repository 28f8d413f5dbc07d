"""Our weights under BART's names, which every encoder-decoder of ``transformers`` used here has inherited."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from stageformer.export.positions import position_table
from stageformer.model.attention import MultiHeadAttention
from stageformer.model.config import TransformerConfig
from stageformer.model.layers import DecoderLayer, EncoderLayer, FeedForward
from stageformer.model.transformer import Decoder, Encoder
from stageformer.text.vocabulary import Vocabulary


def layer_options(config: TransformerConfig) -> dict[str, Any]:
    """Return what a configuration of ``transformers`` says of the layers of both stacks."""
    return {
        "d_model": config.encoder.d_model,
        "encoder_layers": config.encoder.num_layers,
        "decoder_layers": config.decoder.num_layers,
        "encoder_attention_heads": config.encoder.num_heads,
        "decoder_attention_heads": config.decoder.num_heads,
        "encoder_ffn_dim": config.encoder.d_ff,
        "decoder_ffn_dim": config.decoder.d_ff,
        "activation_function": config.decoder.activation,
        "dropout": config.decoder.residual_dropout,
        "attention_dropout": config.decoder.attention_dropout,
        "scale_embedding": config.source.scale,
    }


@torch.no_grad()
def copy_stack(theirs: nn.Module, ours: Encoder | Decoder, order: Tensor) -> None:
    """Copy the embedding, the table of positions, the layers and the last norm into a stack of ``transformers``.

    Args:
        theirs: the encoder or decoder with ``embed_tokens``, ``embed_positions``, ``layers`` and, of pre-norm models,
            ``layer_norm``. Its vocabulary may be larger than ours: what is left over is zero.
        ours: the stack to copy
        order: ``[D]``: which of our features stands at each of theirs
    """
    embedding = ours.embedding
    copy_rows(theirs.get_submodule("embed_tokens"), embedding.weight[:, order])
    copy_rows(theirs.get_submodule("embed_positions"), position_table(embedding)[:, order])
    for number, layer in enumerate(ours.layers):
        assert isinstance(layer, EncoderLayer | DecoderLayer)
        _copy_layer(theirs.get_submodule(f"layers.{number}"), layer, order)
    if isinstance(ours.norm, nn.LayerNorm):
        _copy_norm(theirs.get_submodule("layer_norm"), ours.norm, order)


@torch.no_grad()
def copy_rows(theirs: nn.Module, rows: Tensor) -> None:
    """Fill the matrix of an embedding or of a linear map with ``rows [N, D]``, and zeros after them."""
    weight = theirs.get_parameter("weight")
    weight.zero_()
    weight[: len(rows)] = rows


@torch.no_grad()
def copy_unknown(theirs: nn.Module, unknown_ids: range) -> None:
    """Give ``unknown_ids`` the embedding of <unk>."""
    weight = theirs.get_parameter("weight")
    weight[unknown_ids.start : unknown_ids.stop] = weight[Vocabulary.unk_id]


def _copy_layer(theirs: nn.Module, ours: EncoderLayer | DecoderLayer, order: Tensor) -> None:
    assert isinstance(ours.feed_forward, FeedForward)
    _copy_attention(theirs.get_submodule("self_attn"), ours.self_attention, order)
    _copy_norm(theirs.get_submodule("self_attn_layer_norm"), ours.self_attention_sublayer.norm, order)
    if isinstance(ours, DecoderLayer):
        _copy_attention(theirs.get_submodule("encoder_attn"), ours.cross_attention, order)
        _copy_norm(theirs.get_submodule("encoder_attn_layer_norm"), ours.cross_attention_sublayer.norm, order)
    inner, outer = ours.feed_forward.inner, ours.feed_forward.outer
    _copy_linear(theirs.get_submodule("fc1"), inner.weight[:, order], inner.bias)
    _copy_linear(theirs.get_submodule("fc2"), outer.weight[order], outer.bias[order])
    _copy_norm(theirs.get_submodule("final_layer_norm"), ours.feed_forward_sublayer.norm, order)


def _copy_attention(theirs: nn.Module, ours: MultiHeadAttention, order: Tensor) -> None:
    # The features of the heads are inside the operation and keep their order.
    projections = zip(ours.in_projection.weight.chunk(3), ours.in_projection.bias.chunk(3), strict=True)
    for name, (weight, bias) in zip(("q_proj", "k_proj", "v_proj"), projections, strict=True):
        _copy_linear(theirs.get_submodule(name), weight[:, order], bias)
    _copy_linear(theirs.get_submodule("out_proj"), ours.out_projection.weight[order], ours.out_projection.bias[order])


def _copy_norm(theirs: nn.Module, ours: nn.LayerNorm, order: Tensor) -> None:
    _copy_linear(theirs, ours.weight[order], ours.bias[order])


def _copy_linear(theirs: nn.Module, weight: Tensor, bias: Tensor) -> None:
    theirs.get_parameter("weight").copy_(weight)
    theirs.get_parameter("bias").copy_(bias)
