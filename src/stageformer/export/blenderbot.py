"""A pre-norm model as ``BlenderbotForConditionalGeneration`` of Hugging Face's ``transformers``.

``MarianMTModel`` has no pre-norm layers. Blenderbot has them, with a norm after the last, and a free table of positions
a side, which takes sinusoidal and learned positions as they are. Nothing of it is bound to conversations. It knows one
size of vocabulary: of two vocabularies, the smaller is filled up with entries that can never be produced.

Unless one matrix serves as both embeddings and as the output, all are stored, and one is there twice. That these may
differ is new in version 5 of ``transformers``.
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
    from transformers import BlenderbotForConditionalGeneration


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

    The arguments are those of :func:`stageformer.export.marian.to_marian`.

    Raises:
        StageformerError: Blenderbot cannot express the model, or ``transformers`` is not installed.
    """
    require("transformers")
    from transformers import BlenderbotConfig, BlenderbotForConditionalGeneration

    config = model.config
    special = special_tokens(bos_id=bos_id, eos_id=eos_id, pad_id=pad_id)
    check_for_transformers(config, norm="pre", architecture="Blenderbot")
    positions = max(config.source.max_length, config.target.max_length)
    copy = BlenderbotForConditionalGeneration(
        BlenderbotConfig(
            vocab_size=max(config.source.vocabulary_size + len(unknown_ids), config.target.vocabulary_size),
            max_position_embeddings=positions,
            **layer_options(config),
            tie_word_embeddings=config.share_embeddings and config.tie_output,
            encoder_no_repeat_ngram_size=0,
            **special,
        )
    )
    weight = model.decoder.output_weight
    copy = copy.to(weight.device, weight.dtype).eval()
    order = torch.arange(config.encoder.d_model, device=weight.device)
    copy_stack(copy.model.encoder, model.encoder, order)
    copy_stack(copy.model.decoder, model.decoder, order)
    copy_rows(copy.lm_head, weight)
    copy_unknown(copy.model.encoder.embed_tokens, unknown_ids)
    # The matrix that is there twice: "the" embedding of a model is that of its sources.
    copy_rows(copy.model.shared, copy.model.encoder.embed_tokens.weight.clone())
    copy.final_logits_bias[:, len(weight) :] = -math.inf
    copy.generation_config = generation_config(special, forbidden_ids, positions)
    return copy
