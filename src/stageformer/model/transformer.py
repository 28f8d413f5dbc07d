"""The whole model: encoder and decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stageformer.model.config import TransformerConfig
from stageformer.model.decoder import Decoder
from stageformer.model.encoder import Encoder


class Transformer(nn.Module):
    """Encoder and decoder, with the embeddings shared between them where the configuration says so."""

    def __init__(self, config: TransformerConfig) -> None:
        """Make both stacks with Xavier-uniform matrices and zero biases."""
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.source, config.encoder)
        self.decoder = Decoder(config.target, config.decoder, tie_output=config.tie_output)
        initialise(self.encoder)
        initialise(self.decoder)
        if config.share_embeddings:
            if config.source.vocabulary_size != config.target.vocabulary_size:
                raise ValueError("share_embeddings needs one vocabulary for both sides")
            self.decoder.embedding.weight = self.encoder.embedding.weight

    def forward(self, source_ids: Tensor, target_ids: Tensor, source_present: Tensor | None = None) -> Tensor:
        """Return the hidden states ``[B, T, D]`` for ``source_ids [B, S]`` and ``target_ids [B, T]``."""
        memory = self.encoder(source_ids, source_present)
        hidden: Tensor = self.decoder(target_ids, memory, source_present)
        return hidden


def initialise(module: nn.Module) -> None:
    """Fill every linear map under ``module`` with Xavier-uniform weights and zero biases (embeddings stay as they are).

    Query, key and value share one matrix; each third is filled as a matrix of its own.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear):
            parts = 3 if name.endswith("in_projection") else 1
            for part in layer.weight.data.chunk(parts):
                nn.init.xavier_uniform_(part)
            nn.init.zeros_(layer.bias)


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Return every weight once, by name: a shared matrix stands under its first name alone."""
    return {name: parameter.detach() for name, parameter in module.named_parameters()}


@torch.no_grad()
def load_weights(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Copy ``weights`` (as :func:`weights_of` named them) into ``module``.

    Raises:
        ValueError: a name is missing or too many, or a shape differs.
    """
    parameters = dict(module.named_parameters())
    if parameters.keys() != weights.keys():
        missing, unknown = sorted(parameters.keys() - weights.keys()), sorted(weights.keys() - parameters.keys())
        raise ValueError(f"weights do not fit the model: missing {missing[:3]}, unknown {unknown[:3]}")
    for name, parameter in parameters.items():
        if parameter.shape != weights[name].shape:
            raise ValueError(
                f"{name} has the shape {list(weights[name].shape)}, the model needs {list(parameter.shape)}"
            )
        parameter.copy_(weights[name])
