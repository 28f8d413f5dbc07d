"""Whether the formats that ``export.formats`` names can express the model that the parameters describe."""

from __future__ import annotations

import dataclasses

from stageformer.export.formats.base import export_format
from stageformer.model.config import EmbeddingConfig, TransformerConfig
from stageformer.params.choices import chosen, implementation
from stageformer.params.groups import Parameters
from stageformer.text.tokenizers.base import Tokenizer


def check_formats(params: Parameters) -> None:
    """Raise StageformerError for the first format that cannot express the model, before anything is trained.

    Args:
        params: checked already, with the packages of the formats and of the tokenizer in place.
    """
    if not params.ingest.has_targets:  # then there is no decoder, and nothing to export
        return
    embed = params.embed
    side = EmbeddingConfig(1, embed.d_model, embed.scale, embed.positions, embed.max_length)
    config = TransformerConfig(
        source=side,
        target=side,
        encoder=dataclasses.replace(
            params.train_encoder.stack_config(params.model, embed.d_model), causal=params.train_encoder.causal
        ),
        decoder=params.train_decoder.stack_config(params.model, embed.d_model),
        tie_output=params.train_decoder.tie_output,
    )
    sides = [params.tokenize.source, *([params.tokenize.target] if params.tokenize.target else [])]
    for tokenizer in sides:
        family: type[Tokenizer] = implementation(chosen("stageformer.text.tokenizers", tokenizer.kind), Tokenizer)
        for name in params.export.formats:
            export_format(name).check(config, family)
