"""Models from parameters: the one that ``train_encoder`` trains, and the one that ``train_decoder`` trains."""

from __future__ import annotations

import dataclasses

import torch

from stageformer.building.bridge import bridge_between
from stageformer.building.embeddings import EmbeddingStart
from stageformer.building.others import EncoderOfOthers
from stageformer.building.projection import table_of
from stageformer.building.weights import load_weights, weights_of
from stageformer.model.config import TransformerConfig
from stageformer.model.transformer import Transformer
from stageformer.params.model import Model
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder


def build_encoder_model(
    params: TrainEncoder, shared: Model, start: EmbeddingStart, encoder: EncoderOfOthers | None = None
) -> Transformer:
    """Make the encoder with a shallow decoder of the same shape, which its training throws away afterwards.

    The objective ``next_token`` gives the encoder a causal mask, which is part of its configuration from here on.

    Args:
        params: of the encoder
        shared: what of the encoder is not in ``params``
        start: of the embedding matrices
        encoder: one of others, in the place of our own
    """
    torch.manual_seed(params.training.seed)
    stack = params.stack_config(shared, start.metadata["d_model"])
    if encoder is None:
        source, of_encoder = start.config("source"), dataclasses.replace(stack, causal=params.causal)
    else:
        source, of_encoder = encoder.embedding.config, encoder.stack
    config = TransformerConfig(
        source=source,
        target=start.config("target"),
        encoder=of_encoder,
        decoder=dataclasses.replace(stack, num_layers=params.decoder_num_layers),
        share_embeddings=start.shared and encoder is None,
    )
    model = Transformer(config, encoder)
    model.decoder.bridge = bridge_between(of_encoder.d_model, 1, stack.d_model, join="concatenate", noise=0.0)
    if encoder is None:
        start.fill(model, "source")
    start.fill(model, "target")
    if params.freeze_embedding:
        _freeze_embeddings(model)
    return model


def build_model(
    params: TrainDecoder, shared: Model, encoder_model: Transformer, start: EmbeddingStart, *, trains_encoder: bool
) -> Transformer:
    """Make the whole model: the encoder as ``train_encoder`` left it, and a new decoder.

    Args:
        params: of the decoder
        shared: what of the decoder is not in ``params``
        encoder_model: what ``train_encoder`` made; the layers that its encoder keeps are what the decoder reads
        start: of the embedding matrices
        trains_encoder: whether the encoder learns, too. A frozen one keeps its source embedding; the decoder's target
            embedding is then always a matrix of its own.
    """
    torch.manual_seed(params.training.seed)
    encoder, d_model = encoder_model.encoder, start.metadata["d_model"]
    config = dataclasses.replace(
        encoder_model.config,
        encoder=dataclasses.replace(encoder_model.config.encoder, kept=encoder.kept),
        decoder=params.stack_config(shared, d_model),
        share_embeddings=start.shared and trains_encoder,
        tie_output=params.tie_output,
    )
    model = Transformer(config, encoder if isinstance(encoder, EncoderOfOthers) else None)
    model.decoder.bridge = bridge_between(
        config.encoder.d_model, len(encoder.kept or [-1]), d_model, join=params.memory_join, noise=params.memory_noise
    )
    load_weights(model.encoder, weights_of(encoder))
    if params.target_embedding == "train_encoder":
        load_weights(model.decoder.embedding, weights_of(encoder_model.decoder.embedding))
    elif not model.config.share_embeddings:
        start.fill(model, "target")
    if start.projection is not None and trains_encoder:
        # What train_encoder has not trained goes on from the start, whose projection can learn.
        for side in [side for side in ("source", "target") if start.is_start_of(model, side)]:
            start.fill(model, side)
    if params.freeze_embedding:
        _freeze_embeddings(model)
    return model


def _freeze_embeddings(model: Transformer) -> None:
    """Keep the vectors of both sides as they are; positions and a projection that are learned go on learning."""
    for embedding in (model.encoder.embedding, model.decoder.embedding):
        table_of(embedding).requires_grad_(False)
