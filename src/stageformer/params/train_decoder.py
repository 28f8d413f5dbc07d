"""Parameters of the stage ``train_decoder``."""

from __future__ import annotations

from typing import Literal

from stageformer.params.base import group, param
from stageformer.params.model import Stack
from stageformer.params.training import Training


class TrainDecoder(Stack):
    """The decoder and what it learns from."""

    finetune_encoder: bool = param(
        "way staged: train the encoder further, together with the decoder, instead of learning from its saved output"
    )
    target_embedding: Literal["embed", "train_encoder"] = param(
        "way staged: initial target embedding: that of the stage embed, or as train_encoder left it"
    )
    tie_output: bool = param("use the target embedding as the output projection, too")
    freeze_embedding: bool = param(
        "keep the embedding matrices as they begin; with tie_output, the output projection, too"
    )
    memory_dropout: float = param("way staged: dropout on the saved encoder output", minimum=0, maximum=0.95)
    memory_noise: float = param(
        "memory of others, or of several layers: standard deviation of noise on it, each layer of which is normalised",
        minimum=0, maximum=100,
    )  # fmt: skip
    memory_join: Literal["concatenate", "mix"] = param(
        "memory of several layers: concatenate: one linear map of all; mix: of their mean by learned weights"
    )
    training: Training = group("optimisation: what an update is, how many there are, which weights are kept")
