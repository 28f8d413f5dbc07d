"""Parameters of the stage ``train_encoder``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param
from stageformer.params.training import Stack, Training


@dataclass(frozen=True)
class TrainEncoder(Stack):
    """The encoder and the objective that trains it."""

    objective: str = param("translation: with a shallow throw-away decoder; masked: masked-token prediction; "
                           "none: left as initialised", choices=("translation", "masked", "none"))
    decoder_num_layers: int = param("objective translation: layers of the throw-away decoder", minimum=1)
    masked_fraction: float = param("objective masked: share of the tokens to predict", minimum=0, maximum=1)
    training: Training = param("optimisation: what an update is, how many there are, which weights are kept")
