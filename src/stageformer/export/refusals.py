"""What the architectures of ``transformers`` cannot express: one clear error that names the parameter."""

from __future__ import annotations

from stageformer.errors import StageformerError
from stageformer.model.config import TransformerConfig


def check_for_transformers(config: TransformerConfig, *, norm: str, architecture: str) -> None:
    """Raise StageformerError unless a model of ``transformers`` whose norms stand at ``norm`` can express the model."""
    encoder, decoder = config.encoder, config.decoder
    remedy = "take huggingface out of export.formats"
    if encoder.d_model != decoder.d_model:
        raise StageformerError(
            f"the memory is {encoder.d_model} wide and the decoder {decoder.d_model}; {architecture} has no projection "
            f"between them; {remedy}"
        )
    if encoder.norm != decoder.norm:
        raise StageformerError(
            f"train_encoder.norm is {encoder.norm!r} and train_decoder.norm {decoder.norm!r}; transformers has no "
            f"architecture with both; make them equal, or {remedy}"
        )
    for group, stack in (("train_encoder", encoder), ("train_decoder", decoder)):
        if stack.attention_only:
            raise StageformerError(
                f"{group}.attention_only is true; {architecture} has no such layers; {remedy}"
            )
        if stack.norm != norm:
            raise StageformerError(f"{group}.norm is {stack.norm!r}; {architecture} has {norm}-norm layers")
    if encoder.activation != decoder.activation:
        raise StageformerError(
            f"train_encoder.activation is {encoder.activation!r} and train_decoder.activation {decoder.activation!r}; "
            f"{architecture} has one activation; make them equal, or {remedy}"
        )
    if norm == "post" and config.source.positions != "sinusoidal":
        raise StageformerError(
            f"embed.positions is {config.source.positions!r}; {architecture} has sinusoidal positions alone; "
            f"use them, train_encoder.norm and train_decoder.norm 'pre', or {remedy}"
        )
