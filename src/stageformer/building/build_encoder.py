"""The model that ``train_encoder`` trains: the encoder, and a shallow decoder to be thrown away."""

from __future__ import annotations

import dataclasses

import torch

from stageformer.building.embeddings import EmbeddingStart
from stageformer.building.stack import stack_config
from stageformer.model.config import TransformerConfig
from stageformer.model.transformer import Transformer
from stageformer.params.train_encoder import TrainEncoder


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
