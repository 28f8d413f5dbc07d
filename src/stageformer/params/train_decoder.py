"""Parameters of the stage ``train_decoder``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param
from stageformer.params.training import Stack, Training


@dataclass(frozen=True)
class TrainDecoder(Stack):
    """The decoder and what it learns from."""

    encoder: str = param("frozen: learn on the saved memory; finetune: train encoder and decoder together",
                         choices=("frozen", "finetune"))
    target_embedding: str = param("start of the target embedding: from the stage embed, or as train_encoder left it",
                                  choices=("embed", "train_encoder"))
    tie_output: bool = param("use the target embedding as the output projection, too")
    memory_dropout: float = param("dropout on the saved memory, encoder: frozen", minimum=0, maximum=0.95)
    training: Training = param("optimisation: what an update is, how many there are, which weights are kept")
