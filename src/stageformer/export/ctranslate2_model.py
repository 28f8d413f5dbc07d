"""Our model in the specification of CTranslate2, which has a place for each of our matrices as it is.

Nothing is computed except the rounding to 8 bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from stageformer.artifacts.made_with import made_with
from stageformer.building.model_files import weights_fingerprint
from stageformer.errors import require
from stageformer.export.expressible import check_ctranslate2
from stageformer.export.workload import position_table
from stageformer.model.attention import MultiHeadAttention
from stageformer.model.config import StackConfig
from stageformer.model.layers import DecoderLayer, EncoderLayer, FeedForward
from stageformer.model.transformer import Decoder, Encoder, Transformer
from stageformer.text.vocabulary import BOS, EOS, UNK, Vocabularies

if TYPE_CHECKING:
    import numpy as np
    from ctranslate2.specs import attention_spec, common_spec, transformer_spec


def save_ctranslate2(model: Transformer, vocabularies: Vocabularies, folder: Path, *, quantization: str | None) -> None:
    """Write ``model.bin``, ``config.json`` and the vocabularies into ``folder``. The same model gives the same bytes.

    Args:
        model: any but one of attention only
        vocabularies: its vocabularies
        folder: created if need be
        quantization: ``int8`` for matrices of 8 bits and a scale a row; None for the precision of the model (fp32)

    Raises:
        StageformerError: CTranslate2 cannot express the model, or is not installed.
    """
    require("ctranslate2")
    from ctranslate2.specs import TransformerSpec

    check_ctranslate2(model.config)
    spec = TransformerSpec(_encoder(model.encoder, model.config.encoder), _decoder(model.decoder, model.config.decoder))
    spec.config.unk_token, spec.config.eos_token = UNK, EOS
    spec.config.bos_token = spec.config.decoder_start_token = BOS
    spec.config.layer_norm_epsilon = nn.LayerNorm(1).eps
    # Unknown to CTranslate2, and read by our engine.
    spec.config.add_attribute("max_source_positions", model.config.source.max_length)
    spec.config.add_attribute("max_target_positions", model.config.target.max_length)
    of_model = {"model": weights_fingerprint(model)}
    spec.config.add_attribute("made_with", made_with(vocabularies.parts) | of_model)
    spec.register_source_vocabulary(vocabularies.source.tokens)
    spec.register_target_vocabulary(vocabularies.target.tokens)
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))


def _encoder(encoder: Encoder, config: StackConfig) -> transformer_spec.TransformerEncoderSpec:
    from ctranslate2.specs import transformer_spec

    spec = transformer_spec.TransformerEncoderSpec(
        config.num_layers, config.num_heads, pre_norm=config.norm == "pre", activation=_activation(config)
    )
    spec.embeddings[0].weight = _array(encoder.embedding.weight)
    spec.scale_embeddings = encoder.embedding.config.scale
    spec.position_encodings.encodings = _array(position_table(encoder.embedding))
    if isinstance(encoder.norm, nn.LayerNorm):
        _set_norm(spec.layer_norm, encoder.norm)
    for layer_spec, layer in zip(spec.layer, encoder.layers, strict=True):
        assert isinstance(layer, EncoderLayer)
        _set_self_attention(layer_spec.self_attention, layer)
        _set_feed_forward(layer_spec.ffn, layer)
    return spec


def _decoder(decoder: Decoder, config: StackConfig) -> transformer_spec.TransformerDecoderSpec:
    from ctranslate2.specs import transformer_spec

    spec = transformer_spec.TransformerDecoderSpec(
        config.num_layers, config.num_heads, pre_norm=config.norm == "pre", activation=_activation(config)
    )
    spec.embeddings.weight = _array(decoder.embedding.weight)
    spec.projection.weight = _array(decoder.output_weight)
    spec.scale_embeddings = decoder.embedding.config.scale
    spec.position_encodings.encodings = _array(position_table(decoder.embedding))
    if isinstance(decoder.norm, nn.LayerNorm):
        _set_norm(spec.layer_norm, decoder.norm)
    for layer_spec, layer in zip(spec.layer, decoder.layers, strict=True):
        assert isinstance(layer, DecoderLayer)
        _set_self_attention(layer_spec.self_attention, layer)
        _set_cross_attention(layer_spec.attention, layer.cross_attention)
        _set_norm(layer_spec.attention.layer_norm, layer.cross_attention_sublayer.norm)
        _set_feed_forward(layer_spec.ffn, layer)
    return spec


def _set_self_attention(spec: attention_spec.MultiHeadAttentionSpec, layer: EncoderLayer | DecoderLayer) -> None:
    attention = layer.self_attention
    _set_linear(spec.linear[0], attention.in_projection.weight, attention.in_projection.bias)
    _set_linear(spec.linear[1], attention.out_projection.weight, attention.out_projection.bias)
    _set_norm(spec.layer_norm, layer.self_attention_sublayer.norm)


def _set_cross_attention(spec: attention_spec.MultiHeadAttentionSpec, attention: MultiHeadAttention) -> None:
    weight, bias = attention.in_projection.weight, attention.in_projection.bias
    d_model = weight.size(1)
    _set_linear(spec.linear[0], weight[:d_model], bias[:d_model])
    _set_linear(spec.linear[1], weight[d_model:], bias[d_model:])
    _set_linear(spec.linear[2], attention.out_projection.weight, attention.out_projection.bias)


def _set_feed_forward(spec: transformer_spec.FeedForwardSpec, layer: EncoderLayer | DecoderLayer) -> None:
    assert isinstance(layer.feed_forward, FeedForward)
    inner, outer = layer.feed_forward.inner, layer.feed_forward.outer
    _set_linear(spec.linear_0, inner.weight, inner.bias)
    _set_linear(spec.linear_1, outer.weight, outer.bias)
    _set_norm(spec.layer_norm, layer.feed_forward_sublayer.norm)


def _set_norm(spec: common_spec.LayerNormSpec, norm: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _array(norm.weight), _array(norm.bias)


def _set_linear(spec: common_spec.LinearSpec, weight: Tensor, bias: Tensor) -> None:
    spec.weight, spec.bias = _array(weight), _array(bias)


def _activation(config: StackConfig) -> common_spec.Activation:
    from ctranslate2.specs import common_spec

    return common_spec.Activation.RELU if config.activation == "relu" else common_spec.Activation.GELU


def _array(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    # Copied: rounding to 8 bits works in place.
    return tensor.detach().float().cpu().numpy().copy()
