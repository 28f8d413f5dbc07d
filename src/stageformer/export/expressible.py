"""What other engines cannot express. It needs no torch, so that ``check`` can ask before anything is trained."""

from __future__ import annotations

import inspect

from stageformer.errors import StageformerError
from stageformer.model.config import TransformerConfig
from stageformer.text.tokenizers.base import Tokenizer


def check_ctranslate2(config: TransformerConfig) -> None:
    """Raise StageformerError unless CTranslate2 can express the model."""
    remedy = "take ctranslate2 and ctranslate2_int8 out of export.formats"
    _check_stacks(config, "CTranslate2", remedy)
    if config.encoder.d_model != config.decoder.d_model:
        raise StageformerError(
            f"the memory is {config.encoder.d_model} wide and the decoder {config.decoder.d_model}; "
            f"CTranslate2 has no projection between them; {remedy}"
        )


def _check_stacks(config: TransformerConfig, engine: str, remedy: str) -> None:
    for side, stack in (("encoder", config.encoder), ("decoder", config.decoder)):
        if stack.attention_only:
            raise StageformerError(f"attention_only is true for the {side}; {engine} has no such layers; {remedy}")
        if any(width not in (None, stack.d_model / stack.num_heads) for width in (stack.d_k, stack.d_v)):
            given = f"d_k is {stack.d_k or 'null'} and d_v {stack.d_v or 'null'}"
            raise StageformerError(
                f"{given} for the {side}; {engine} has only heads that are d_model / num_heads "
                f"({stack.d_model / stack.num_heads:g}) wide; set them to null, or {remedy}"
            )
    if config.encoder.causal:
        raise StageformerError(
            f"the encoder has a causal mask (train_encoder.objective 'next_token'); {engine} has no such encoder; "
            f"{remedy}"
        )


def check_transformers(config: TransformerConfig, *, norm: str, architecture: str) -> None:
    """Raise StageformerError unless a model of ``transformers`` whose norms are at ``norm`` can express the model."""
    encoder, decoder = config.encoder, config.decoder
    remedy = "take huggingface out of export.formats"
    _check_stacks(config, architecture, remedy)
    if encoder.d_model != decoder.d_model:
        raise StageformerError(
            f"the memory is {encoder.d_model} wide and the decoder {decoder.d_model}; {architecture} has no projection "
            f"between them; {remedy}"
        )
    if encoder.norm != decoder.norm:
        raise StageformerError(
            f"norm is {encoder.norm!r} for the encoder and {decoder.norm!r} for the decoder; transformers has no "
            f"architecture with both; make them equal, or {remedy}"
        )
    for side, stack in (("encoder", encoder), ("decoder", decoder)):
        if stack.norm != norm:
            raise StageformerError(f"norm is {stack.norm!r} for the {side}; {architecture} has {norm}-norm layers")
    if encoder.activation != decoder.activation:
        raise StageformerError(
            f"activation is {encoder.activation!r} for the encoder and {decoder.activation!r} for the decoder; "
            f"{architecture} has one activation; make them equal, or {remedy}"
        )
    if norm == "post" and config.source.positions != "sinusoidal":
        raise StageformerError(
            f"embed.positions is {config.source.positions!r}; {architecture} has only sinusoidal positions; "
            f"use them, model.norm 'pre', or {remedy}"
        )


def check_transformers_tokenizer(family: type[Tokenizer]) -> None:
    """Raise StageformerError unless the library ``tokenizers`` can express the family.

    One that it cannot express declares ``to_hugging_face`` to return None, which mypy holds it to.
    """
    if inspect.signature(family.to_hugging_face).return_annotation in (None, "None"):
        raise StageformerError(
            f"the tokenizer is of the kind {family.kind!r}, which the library tokenizers cannot express, so that "
            "transformers could not cut a text as the model needs it; take huggingface out of export.formats"
        )
