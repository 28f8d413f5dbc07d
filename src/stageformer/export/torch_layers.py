"""Exchange of weights with torch's own Transformer layers.

Both sides hold the same matrices under other names, so that a stack moves from one to the other without arithmetic, and
the two compute the same in eval mode. In training they differ by one dropout: torch also drops inside the feed-forward
network. Torch's layers have no embedding and no output projection; those stay where they are.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.building.weights import load_weights, weights_of
from stageformer.model.config import StackConfig
from stageformer.model.layers import DecoderLayer, EncoderLayer, FeedForward
from stageformer.model.transformer import Decoder, Encoder

TorchLayer = nn.TransformerEncoderLayer | nn.TransformerDecoderLayer
TorchStack = nn.TransformerEncoder | nn.TransformerDecoder

_ENCODER_NAMES = {
    "self_attention.in_projection.weight": "self_attn.in_proj_weight",
    "self_attention.in_projection.bias": "self_attn.in_proj_bias",
    "self_attention.out_projection.weight": "self_attn.out_proj.weight",
    "self_attention.out_projection.bias": "self_attn.out_proj.bias",
    "self_attention_sublayer.norm.weight": "norm1.weight",
    "self_attention_sublayer.norm.bias": "norm1.bias",
    "feed_forward.inner.weight": "linear1.weight",
    "feed_forward.inner.bias": "linear1.bias",
    "feed_forward.outer.weight": "linear2.weight",
    "feed_forward.outer.bias": "linear2.bias",
    "feed_forward_sublayer.norm.weight": "norm2.weight",
    "feed_forward_sublayer.norm.bias": "norm2.bias",
}
_DECODER_NAMES = _ENCODER_NAMES | {
    "cross_attention.in_projection.weight": "multihead_attn.in_proj_weight",
    "cross_attention.in_projection.bias": "multihead_attn.in_proj_bias",
    "cross_attention.out_projection.weight": "multihead_attn.out_proj.weight",
    "cross_attention.out_projection.bias": "multihead_attn.out_proj.bias",
    "cross_attention_sublayer.norm.weight": "norm2.weight",
    "cross_attention_sublayer.norm.bias": "norm2.bias",
    "feed_forward_sublayer.norm.weight": "norm3.weight",
    "feed_forward_sublayer.norm.bias": "norm3.bias",
}


def to_torch_layer(layer: EncoderLayer | DecoderLayer) -> TorchLayer:
    """Return a copy of a layer as torch's, batch first, on the same device and without dropout.

    Raises:
        ValueError: the layer is of attention only, or its d_k or d_v is not d_model / num_heads; torch has no such
            layer.
    """
    if not isinstance(layer.feed_forward, FeedForward):
        raise ValueError("a layer of attention only has no counterpart in torch")
    inner, attention = layer.feed_forward.inner, layer.self_attention
    if set(attention.widths) != {inner.in_features}:
        raise ValueError("a layer whose d_k or d_v is not d_model / num_heads has no counterpart in torch")
    make = nn.TransformerDecoderLayer if isinstance(layer, DecoderLayer) else nn.TransformerEncoderLayer
    copy: TorchLayer = make(
        inner.in_features,
        attention.num_heads,
        inner.out_features,
        dropout=0.0,
        activation=layer.feed_forward.activation,
        batch_first=True,
        norm_first=layer.self_attention_sublayer.pre_norm,
        device=inner.weight.device,
        dtype=inner.weight.dtype,
    )
    weights = weights_of(layer)
    load_weights(copy, {theirs: weights[ours] for ours, theirs in _names(copy).items()})
    return copy.train(layer.training)


def from_torch_layer(layer: TorchLayer) -> EncoderLayer | DecoderLayer:
    """Return a copy of torch's layer as ours, with its dropout on residuals and on attention weights.

    Raises:
        ValueError: the layer has what ours lacks: another activation, another epsilon in the norms, or no biases.
    """
    config = torch_layer_config(layer)
    copy = DecoderLayer(config) if isinstance(layer, nn.TransformerDecoderLayer) else EncoderLayer(config)
    copy.to(layer.linear1.weight.device, layer.linear1.weight.dtype)
    load_weights(copy, _our_weights(layer))
    return copy.train(layer.training)


def torch_layer_config(layer: TorchLayer, num_layers: int = 1) -> StackConfig:
    """Return the configuration of a stack of such layers. Raises ValueError as :func:`from_torch_layer`."""
    if layer.linear1.bias is None:
        raise ValueError("a layer without biases (bias=False) has no counterpart here")
    if layer.norm1.eps != nn.LayerNorm(1).eps:
        raise ValueError(f"layer_norm_eps is {layer.norm1.eps}; here it is {nn.LayerNorm(1).eps}")
    # torch.nn.ReLU() and torch.nn.functional.relu are both accepted by torch's layers.
    activation = layer.activation
    name: Literal["relu", "gelu"]
    if activation is F.relu or isinstance(activation, nn.ReLU):
        name = "relu"
    elif activation is F.gelu or (isinstance(activation, nn.GELU) and activation.approximate == "none"):
        name = "gelu"
    else:
        raise ValueError(f"activation is {activation}; here it is relu or gelu")
    return StackConfig(
        d_model=layer.linear1.in_features,
        num_layers=num_layers,
        num_heads=layer.self_attn.num_heads,
        d_ff=layer.linear1.out_features,
        activation=name,
        norm="pre" if layer.norm_first else "post",
        residual_dropout=layer.dropout1.p,
        attention_dropout=layer.self_attn.dropout,
    )


def to_torch_stack(stack: Encoder | Decoder) -> TorchStack:
    """Return a copy of the layers and of the last norm of an encoder or a decoder as torch's stack.

    It maps what the embedding gave to the memory, or to the hidden states that the output projection reads.

    Raises:
        ValueError: as :func:`to_torch_layer`.
    """
    layers = [to_torch_layer(layer) for layer in stack.layers if isinstance(layer, EncoderLayer | DecoderLayer)]
    norm = None
    if isinstance(stack.norm, nn.LayerNorm):
        norm = nn.LayerNorm(stack.norm.normalized_shape).to(stack.norm.weight)
        load_weights(norm, weights_of(stack.norm))
    first = layers[0]
    copy: TorchStack
    if isinstance(first, nn.TransformerEncoderLayer):
        copy = nn.TransformerEncoder(first, 1, norm, enable_nested_tensor=False)
    else:
        copy = nn.TransformerDecoder(first, 1, norm)
    copy.layers = nn.ModuleList(layers)
    copy.num_layers = len(layers)
    return copy.train(stack.training)


def load_torch_stack(stack: Encoder | Decoder, torch_stack: TorchStack) -> None:
    """Copy the weights of torch's stack into the layers and the last norm of ``stack``; its embedding stays.

    Raises:
        ValueError: the two differ in kind, shape, number of layers, activation, or in the place of their norms.
    """
    layers = [layer for layer in torch_stack.layers if isinstance(layer, TorchLayer)]
    for ours, theirs in zip(stack.layers, layers, strict=True):
        assert isinstance(ours, EncoderLayer | DecoderLayer)
        _check_alike(ours, torch_layer_config(theirs))
        load_weights(ours, _our_weights(theirs))
    theirs_norm = torch_stack.norm
    if isinstance(stack.norm, nn.LayerNorm) != isinstance(theirs_norm, nn.LayerNorm):
        raise ValueError("only one of the two stacks has a norm after its last layer")
    if isinstance(theirs_norm, nn.LayerNorm):
        load_weights(stack.norm, weights_of(theirs_norm))


def _check_alike(layer: EncoderLayer | DecoderLayer, config: StackConfig) -> None:
    if not isinstance(layer.feed_forward, FeedForward):
        raise ValueError("a layer of attention only has no counterpart in torch")
    found = (config.num_heads, config.norm == "pre", config.activation)
    needed = (
        layer.self_attention.num_heads,
        layer.self_attention_sublayer.pre_norm,
        "relu" if layer.feed_forward.activation is F.relu else "gelu",
    )
    if found != needed:
        raise ValueError(f"(num_heads, pre-norm, activation) of torch's layer are {found}, needed {needed}")


def _names(layer: nn.Module) -> dict[str, str]:
    return _DECODER_NAMES if isinstance(layer, nn.TransformerDecoderLayer) else _ENCODER_NAMES


def _our_weights(layer: nn.Module) -> dict[str, Tensor]:
    weights = weights_of(layer)
    return {ours: weights[theirs] for ours, theirs in _names(layer).items()}
