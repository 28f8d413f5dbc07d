"""Parameters of the optimisation, which every training stage has."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from stageformer.params.base import MAX_SEED, MAX_TOKENS, MAX_UPDATES, Params, param


class Training(Params):
    """Optimisation: what an update is, how many there are, and which weights are kept."""

    batch_tokens: int = param(
        "largest number of tokens on either side of the batch of one update, padding included",
        minimum=1, maximum=MAX_TOKENS,
    )  # fmt: skip
    max_updates: int = param("number of updates of the whole training", minimum=1, maximum=MAX_UPDATES)
    learning_rate: float = param("learning rate at its peak, after warm-up", minimum=0, maximum=10)
    schedule: Literal["inverse_sqrt", "constant", "linear", "cosine"] = param("learning rate after warm-up")
    warmup_updates: int = param("updates over which the learning rate rises from 0", minimum=0, maximum=MAX_UPDATES)
    optimizer: Literal["adam", "muon"] = param(
        "adam: as in the paper; muon: orthogonal steps for the matrices inside the layers, Adam for everything else"
    )
    muon_momentum: float = param("Muon: decay of the mean of gradients", minimum=0, maximum=0.9999)
    muon_iterations: int = param(
        "Muon: iterations that make a step orthogonal; fewer are faster, and less exact", minimum=1, maximum=100
    )
    adam_beta1: float = param("Adam: decay of the mean of gradients", minimum=0, maximum=0.9999)
    adam_beta2: float = param("Adam: decay of the mean of squared gradients", minimum=0, maximum=0.99999)
    adam_epsilon: float = param("Adam: added to the denominator", minimum=0, maximum=1)
    weight_decay: float = param("decoupled weight decay on matrices", minimum=0, maximum=100)
    clip_norm: float | None = param(
        "largest norm of the gradient; null: no clipping", minimum=1e-6, maximum=1_000_000_000
    )
    label_smoothing: float = param("share of the probability spread over the vocabulary", minimum=0, maximum=1)
    validate_every: int = param(
        "updates between two validations, each of which makes a checkpoint", minimum=1, maximum=MAX_UPDATES
    )
    keep: Literal["last", "best", "average", "average_best"] = param(
        "the checkpoint that becomes the model: the last, or that of the lowest validation loss; or the average of "
        "several, the last or those of the lowest losses"
    )
    average_checkpoints: int = param(
        "keep: average, average_best: number of checkpoints in the average", minimum=1, maximum=1_000_000
    )
    patience: int | None = param(
        "stop after so many validations without a better loss; null: never", minimum=1, maximum=MAX_UPDATES
    )
    seed: int = param("seed of initial weights, order of batches and dropout", minimum=0, maximum=MAX_SEED)

    @model_validator(mode="after")
    def _warms_up_in_time(self) -> Self:
        if self.warmup_updates > self.max_updates:
            raise ValueError(f"warmup_updates is {self.warmup_updates}, more than max_updates ({self.max_updates})")
        return self
