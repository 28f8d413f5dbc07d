"""A post-norm model with sinusoidal positions as ``MarianMTModel`` of Hugging Face's ``transformers``.

The two differ in the order of features alone. The paper lets sines and cosines alternate (section 3.5), and so do we;
Marian puts all sines first. The features of the residual stream have no order of their own, so the same permutation of
every matrix that reads or writes it gives the same model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from stageformer.errors import require
from stageformer.export.bart_layers import copy_rows, copy_stack, copy_unknown, layer_options
from stageformer.export.generation import generation_config, special_tokens
from stageformer.export.refusals import check_for_transformers
from stageformer.model.transformer import Transformer

if TYPE_CHECKING:
    from transformers import MarianMTModel


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

    Its scores before the softmax are ours, and so is what ``generate`` may produce.

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
    special = special_tokens(bos_id=bos_id, eos_id=eos_id, pad_id=pad_id)
    check_for_transformers(config, norm="post", architecture="MarianMT")
    positions = max(config.source.max_length, config.target.max_length)
    one_matrix = config.share_embeddings and config.tie_output
    copy = MarianMTModel(
        MarianConfig(
            vocab_size=config.source.vocabulary_size + len(unknown_ids),
            decoder_vocab_size=config.target.vocabulary_size + (len(unknown_ids) if one_matrix else 0),
            max_position_embeddings=positions,
            **layer_options(config),
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
    copy_stack(copy.model.encoder, model.encoder, order)
    copy_stack(copy.model.decoder, model.decoder, order)
    copy_rows(copy.lm_head, weight[:, order])
    copy_unknown(copy.model.encoder.embed_tokens, unknown_ids)
    copy.final_logits_bias[:, len(weight) :] = -math.inf
    copy.generation_config = generation_config(special, forbidden_ids, positions)
    return copy
