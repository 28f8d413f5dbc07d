"""Parameters of the stage ``train_decoder``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param
from stageformer.params.training import Stack, Training


@dataclass(frozen=True)
class TrainDecoder(Stack):
    """The decoder and what it learns from."""

    finetune_encoder: bool = param("way staged: train the encoder further, together with the decoder, instead of "
                                   "learning from its saved output")
    target_embedding: str = param("way staged: start of the target embedding: that of the stage embed, or as "
                                  "train_encoder left it", choices=("embed", "train_encoder"))
    tie_output: bool = param("use the target embedding as the output projection, too")
    memory_dropout: float = param("way staged: dropout on the saved encoder output", minimum=0, maximum=0.95)
    training: Training = param("optimisation: what an update is, how many there are, which weights are kept")
