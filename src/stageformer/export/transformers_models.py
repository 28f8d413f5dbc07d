"""Our model as a model of Hugging Face's ``transformers``.

The encoder-decoders used here have inherited BART's layers and their names. A post-norm model becomes a
``MarianMTModel``, a pre-norm one a ``BlenderbotForConditionalGeneration``, whose name is that of a model for
conversations; nothing of it is bound to them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stageformer.errors import require
from stageformer.export.expressible import check_transformers
from stageformer.export.workload import position_table
from stageformer.model.attention import MultiHeadAttention
from stageformer.model.config import TransformerConfig
from stageformer.model.layers import DecoderLayer, EncoderLayer, FeedForward
from stageformer.model.transformer import Decoder, Encoder, Transformer
from stageformer.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import BlenderbotForConditionalGeneration, GenerationConfig, MarianMTModel


def to_transformers(
    model: Transformer, vocabulary: Vocabulary, unknown_ids: range = range(0)
) -> MarianMTModel | BlenderbotForConditionalGeneration:
    """Return a copy of the model in the architecture of ``transformers`` that has its layers.

    Args:
        model: in eval mode
        vocabulary: of the target
        unknown_ids: see :func:`to_marian`

    Raises:
        StageformerError: there is no such architecture, or ``transformers`` is not installed.
    """
    convert = to_marian if model.config.encoder.norm == "post" else to_blenderbot
    return convert(
        model,
        bos_id=vocabulary.bos_id,
        eos_id=vocabulary.eos_id,
        pad_id=vocabulary.pad_id,
        forbidden_ids=(vocabulary.pad_id, vocabulary.bos_id, vocabulary.unk_id),
        unknown_ids=unknown_ids,
    )


def to_marian(
    model: Transformer,
    *,
    bos_id: int,
    eos_id: int,
    pad_id: int,
    forbidden_ids: tuple[int, ...],
    unknown_ids: range = range(0),
) -> MarianMTModel:
    """Return a copy of the model, in eval mode and in the same precision.

    The two differ only in the order of features. The paper lets sines and cosines alternate (section 3.5), and so do
    we; Marian puts all sines first. The features of the residual stream have no order of their own, so the same
    permutation of every matrix that reads or writes it gives the same model: its logits are ours, and so is what
    ``generate`` may produce.

    Args:
        model: in eval mode
        bos_id: what a translation starts with
        eos_id: what ends sources and translations
        pad_id: what fills up a batch
        forbidden_ids: what a translation never holds, see :class:`stageformer.decoding.rules.Rules`
        unknown_ids: ids right after those of the vocabulary that sources may hold; to the model, they are <unk>

    Raises:
        StageformerError: MarianMT cannot express the model, or ``transformers`` is not installed.
    """
    require("transformers")
    from transformers import MarianConfig, MarianMTModel

    config = model.config
    special = _special_tokens(bos_id=bos_id, eos_id=eos_id, pad_id=pad_id)
    check_transformers(config, norm="post", architecture="MarianMT")
    positions = max(config.source.max_length, config.target.max_length)
    one_matrix = config.share_embeddings and config.tie_output
    copy = MarianMTModel(
        MarianConfig(
            vocab_size=config.source.vocabulary_size + len(unknown_ids),
            decoder_vocab_size=config.target.vocabulary_size + (len(unknown_ids) if one_matrix else 0),
            max_position_embeddings=positions,
            **_layer_options(config),
            # Marian shares its embeddings with each other and with the output, or not with each other.
            share_encoder_decoder_embeddings=one_matrix,
            tie_word_embeddings=config.tie_output,
            **special,
        )
    )
    weight = model.decoder.output_weight
    copy = copy.to(weight.device, weight.dtype).eval()
    d_model = config.encoder.d_model
    order = torch.cat([torch.arange(0, d_model, 2), torch.arange(1, d_model, 2)]).to(weight.device)
    _copy_stack(copy.model.encoder, model.encoder, order)
    _copy_stack(copy.model.decoder, model.decoder, order)
    _copy_rows(copy.lm_head, weight[:, order])
    _copy_unknown(copy.model.encoder.embed_tokens, unknown_ids)
    copy.final_logits_bias[:, len(weight) :] = -math.inf
    copy.generation_config = _generation_config(special, forbidden_ids, positions)
    return copy


def to_blenderbot(
    model: Transformer,
    *,
    bos_id: int,
    eos_id: int,
    pad_id: int,
    forbidden_ids: tuple[int, ...],
    unknown_ids: range = range(0),
) -> BlenderbotForConditionalGeneration:
    """Return a copy of the model, in eval mode and in the same precision.

    ``MarianMTModel`` has no pre-norm layers. Blenderbot has them, with a norm after the last, and a free table of
    positions per side, which takes sinusoidal and learned positions as they are. It knows one size of vocabulary: of
    two vocabularies, the smaller is filled up with entries that can never be produced. Unless one matrix serves as both
    embeddings and as the output, all are stored, and one is there twice. That these may differ is new in version 5 of
    ``transformers``.

    The arguments are those of :func:`to_marian`.

    Raises:
        StageformerError: Blenderbot cannot express the model, or ``transformers`` is not installed.
    """
    require("transformers")
    from transformers import BlenderbotConfig, BlenderbotForConditionalGeneration

    config = model.config
    special = _special_tokens(bos_id=bos_id, eos_id=eos_id, pad_id=pad_id)
    check_transformers(config, norm="pre", architecture="Blenderbot")
    positions = max(config.source.max_length, config.target.max_length)
    copy = BlenderbotForConditionalGeneration(
        BlenderbotConfig(
            vocab_size=max(config.source.vocabulary_size + len(unknown_ids), config.target.vocabulary_size),
            max_position_embeddings=positions,
            **_layer_options(config),
            tie_word_embeddings=config.share_embeddings and config.tie_output,
            encoder_no_repeat_ngram_size=0,
            **special,
        )
    )
    weight = model.decoder.output_weight
    copy = copy.to(weight.device, weight.dtype).eval()
    order = torch.arange(config.encoder.d_model, device=weight.device)
    _copy_stack(copy.model.encoder, model.encoder, order)
    _copy_stack(copy.model.decoder, model.decoder, order)
    _copy_rows(copy.lm_head, weight)
    _copy_unknown(copy.model.encoder.embed_tokens, unknown_ids)
    # The matrix that occurs twice: "the" embedding of a model is that of its sources.
    _copy_rows(copy.model.shared, copy.model.encoder.embed_tokens.weight.clone())
    copy.final_logits_bias[:, len(weight) :] = -math.inf
    copy.generation_config = _generation_config(special, forbidden_ids, positions)
    return copy


def _special_tokens(*, bos_id: int, eos_id: int, pad_id: int) -> dict[str, int]:
    """Return the settings of special tokens, which the configuration of the model and that of ``generate`` share."""
    return {
        "bos_token_id": bos_id,
        "eos_token_id": eos_id,
        "pad_token_id": pad_id,
        "decoder_start_token_id": bos_id,
        # As in our search: a translation that reaches the limit ends there.
        "forced_eos_token_id": eos_id,
    }


def _generation_config(special: Mapping[str, int], forbidden_ids: Iterable[int], positions: int) -> GenerationConfig:
    """Return the settings of ``generate``: greedy search, until the table of positions ends."""
    from transformers import GenerationConfig

    return GenerationConfig(**special, suppress_tokens=sorted(forbidden_ids), max_new_tokens=positions)


def _layer_options(config: TransformerConfig) -> dict[str, Any]:
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
def _copy_stack(theirs: nn.Module, ours: Encoder | Decoder, order: Tensor) -> None:
    """Copy the embedding, the table of positions, the layers and the last norm into a stack of ``transformers``.

    Args:
        theirs: the encoder or decoder with ``embed_tokens``, ``embed_positions``, ``layers`` and, of pre-norm models,
            ``layer_norm``. Its vocabulary may be larger than ours: what is left over is zero.
        ours: the stack to copy
        order: ``[D]``: which of our features is at each place of theirs
    """
    embedding = ours.embedding
    _copy_rows(theirs.get_submodule("embed_tokens"), embedding.weight[:, order])
    _copy_rows(theirs.get_submodule("embed_positions"), position_table(embedding)[:, order])
    for number, layer in enumerate(ours.layers):
        assert isinstance(layer, EncoderLayer | DecoderLayer)
        _copy_layer(theirs.get_submodule(f"layers.{number}"), layer, order)
    if isinstance(ours.norm, nn.LayerNorm):
        _copy_norm(theirs.get_submodule("layer_norm"), ours.norm, order)


@torch.no_grad()
def _copy_rows(theirs: nn.Module, rows: Tensor) -> None:
    """Fill the matrix of an embedding or of a linear map with ``rows [N, D]``, and zeros after them."""
    weight = theirs.get_parameter("weight")
    weight.zero_()
    weight[: len(rows)] = rows


@torch.no_grad()
def _copy_unknown(theirs: nn.Module, unknown_ids: range) -> None:
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
