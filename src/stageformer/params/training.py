"""Parameters that every training stage has: the stack of layers and the optimisation."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.errors import StageformerError
from stageformer.params.base import param


@dataclass(frozen=True)
class Stack:
    """A stack of Transformer layers (encoder or decoder)."""

    num_layers: int = param("number of layers (N)", minimum=1)
    num_heads: int = param("number of attention heads (H); d_model must be a multiple of it", minimum=1)
    d_ff: int = param("inner width of the feed-forward network (F)", minimum=1)
    activation: str = param("activation of the feed-forward network", choices=("relu", "gelu"))
    norm: str = param("layer norm after each residual sum (post, as in the paper) or before each sub-layer (pre)",
                      choices=("post", "pre"))
    attention_only: bool = param("teaching ablation: layers of bare attention, without residual, norm, feed-forward")
    residual_dropout: float = param("dropout on the output of each sub-layer", minimum=0, maximum=0.95)
    embedding_dropout: float = param("dropout on the sum of embedding and position", minimum=0, maximum=0.95)
    attention_dropout: float = param("dropout on the attention weights", minimum=0, maximum=0.95)


@dataclass(frozen=True)
class Training:
    """Optimisation: what an update is, how many there are, and which weights are kept."""

    batch_tokens: int = param("largest number of tokens on either side of the batch of one update, padding included",
                              minimum=1)
    max_updates: int = param("number of updates of the whole training", minimum=1)
    learning_rate: float = param("learning rate at its peak, after warm-up", minimum=0)
    schedule: str = param("learning rate after warm-up", choices=("inverse_sqrt", "constant", "linear", "cosine"))
    warmup_updates: int = param("updates over which the learning rate rises from 0", minimum=0)
    adam_beta1: float = param("Adam: decay of the mean of gradients", minimum=0, maximum=0.9999)
    adam_beta2: float = param("Adam: decay of the mean of squared gradients", minimum=0, maximum=0.99999)
    adam_epsilon: float = param("Adam: added to the denominator", minimum=0)
    weight_decay: float = param("decoupled weight decay on matrices", minimum=0)
    clip_norm: float | None = param("largest norm of the gradient; null: no clipping", minimum=0)
    label_smoothing: float = param("share of the probability spread over the vocabulary", minimum=0, maximum=1)
    validate_every: int = param("updates between two validations, each of which makes a checkpoint", minimum=1)
    average_checkpoints: int = param("number of last checkpoints whose average is the model", minimum=1)
    patience: int | None = param("stop after so many validations without a better loss; null: never", minimum=1)
    seed: int = param("seed of initial weights, order of batches and dropout", minimum=0)

    def __post_init__(self) -> None:
        if self.warmup_updates > self.max_updates:
            raise StageformerError(
                f"warmup_updates is {self.warmup_updates}, more than max_updates ({self.max_updates})"
            )
