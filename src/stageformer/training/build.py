"""From parameters and the artifacts of earlier stages to the model that a training stage trains."""

from __future__ import annotations

import dataclasses

import torch

from stageformer.embeddings import EmbeddingStart
from stageformer.model.config import StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer, load_weights, weights_of
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder
from stageformer.params.training import Stack


def stack_config(params: Stack, d_model: int) -> StackConfig:
    """Return the configuration of a stack of layers, as a stage's parameters describe it."""
    names = {field.name for field in dataclasses.fields(StackConfig)} - {"d_model"}
    return StackConfig(d_model=d_model, **{name: getattr(params, name) for name in names})


def build_encoder_model(params: TrainEncoder, start: EmbeddingStart) -> Transformer:
    """Make the encoder with a shallow decoder of the same shape, which its training throws away afterwards."""
    torch.manual_seed(params.training.seed)
    encoder = stack_config(params, start.metadata["d_model"])
    model = Transformer(
        TransformerConfig(
            source=start.config("source"),
            target=start.config("target"),
            encoder=encoder,
            decoder=dataclasses.replace(encoder, num_layers=params.decoder_num_layers),
            share_embeddings=start.shared,
        )
    )
    start.fill(model.encoder.embedding, "source")
    start.fill(model.decoder.embedding, "target")
    return model


def build_model(params: TrainDecoder, encoder_model: Transformer, start: EmbeddingStart) -> Transformer:
    """Make the whole model: the encoder as ``train_encoder`` left it, and a new decoder.

    A frozen encoder keeps its source embedding; the decoder's target embedding is then always a matrix of its own.
    """
    torch.manual_seed(params.training.seed)
    finetune = params.encoder == "finetune"
    model = Transformer(
        dataclasses.replace(
            encoder_model.config,
            decoder=stack_config(params, encoder_model.config.encoder.d_model),
            share_embeddings=start.shared and finetune,
            tie_output=params.tie_output,
        )
    )
    load_weights(model.encoder, weights_of(encoder_model.encoder))
    if params.target_embedding == "train_encoder":
        load_weights(model.decoder.embedding, weights_of(encoder_model.decoder.embedding))
    elif not model.config.share_embeddings:
        start.fill(model.decoder.embedding, "target")
    return model
