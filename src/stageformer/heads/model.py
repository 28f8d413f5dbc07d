"""The model of a head: from memory to the logits of labels.

::

    the vectors of one layer, of all side by side, or their learned mean
    -> standardised -> one for each sentence, or for each word -> [linear, ReLU] -> linear -> logits

Shape letters: B batch, S source length, E width of the memory, D width of a layer, N words, C labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from stageformer.heads.pooling import make_pooling, word_vectors
from stageformer.model.dropout import Dropout


@dataclass(frozen=True)
class HeadConfig:
    """The shape of a head. Numbers have their lowest and highest value, as a file may hold them."""

    width: Annotated[int, "E: of the memory, all its layers side by side", 1, 10_000_000]
    num_layers: Annotated[int, "how many layers stand side by side", 1, 1000]
    layer: Annotated[int, "which of them is read, counted from 0; -1: all", -1, 999]
    mix: bool
    """read the learned mean of all layers"""
    pooling: str
    """``head.pooling``, or ``none``: each word has a vector"""
    words: str
    """``head.words``"""
    hidden_size: Annotated[int, "of the hidden layer; 0: none", 0, 1_000_000]
    dropout: Annotated[float, "before each linear layer", 0, 0.95]
    num_labels: Annotated[int, "C", 1, 1_000_000]

    def __post_init__(self) -> None:
        """Raise ValueError if it describes no head."""
        if self.width % self.num_layers:
            raise ValueError(f"a width of {self.width} is not that of {self.num_layers} layers")
        if self.layer >= self.num_layers:
            raise ValueError(f"layer {self.layer} of {self.num_layers}")
        if self.pooling not in ("mean", "max", "cls", "attention", "none") or self.words not in ("first", "mean"):
            raise ValueError(f"pooling {self.pooling!r}, words {self.words!r}")

    @property
    def is_mixed(self) -> bool:
        """Whether several layers become one by a learned mean."""
        return self.mix and self.layer < 0 and self.num_layers > 1

    @property
    def read_width(self) -> int:
        """The width of a vector once the layers are chosen or mixed."""
        return self.width if self.layer < 0 and not self.is_mixed else self.width // self.num_layers


class Head(nn.Module):
    """Predicts labels from memory.

    Args:
        config: the shape
        mean: of each feature over the tokens of train, ``[D]``; None: features are read as they are
        scale: their standard deviations, ``[D]``
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, config: HeadConfig, mean: Tensor | None = None, scale: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        width = config.read_width
        # Buffers are not trained, and in no checkpoint: they follow from the memory.
        self.register_buffer("mean", torch.zeros(width) if mean is None else mean)
        self.register_buffer("scale", torch.ones(width) if scale is None else scale)
        self.mix = nn.Parameter(torch.zeros(config.num_layers)) if config.is_mixed else None
        self.pooling = None if config.pooling == "none" else make_pooling(config.pooling, width)
        self.dropout = Dropout(config.dropout)
        self.hidden = nn.Linear(width, config.hidden_size) if config.hidden_size else None
        self.output = nn.Linear(config.hidden_size or width, config.num_labels)

    def shares(self) -> list[float]:
        """Return how much of each layer is read; they sum to 1. Empty, where no mean is learned."""
        return [] if self.mix is None else self.mix.detach().softmax(0).tolist()

    def layers(self, memory: Tensor) -> Tensor:
        """Choose or mix the layers: from ``[..., E]`` to ``[..., D]``."""
        layer = self.config.layer
        if self.mix is None and layer < 0:
            return memory
        apart = memory.view(*memory.shape[:-1], self.config.num_layers, -1)  # [..., L, D]
        return apart[..., layer, :] if self.mix is None else torch.einsum("...ld,l->...d", apart, self.mix.softmax(0))

    def forward(
        self, memory: Tensor, present: Tensor, words: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Return logits.

        Args:
            memory: ``[B, S, E]``, zeros at padding
            present: True where there is a token, ``[B, S]``
            words: with pooling ``none``, the first token of each word and the one after its last, ``[B, W]`` each, both
                0 where there is no word

        Returns:
            Shape: ``[B, C]``, or ``[N, C]`` for the words of all sentences, one sentence after another.
        """
        features = (self.layers(memory) - self.mean) / self.scale
        if self.pooling is not None:
            vectors = self.pooling(features, present)
        else:
            assert words is not None
            first, stop = words
            vectors = word_vectors(features, first, stop, self.config.words)[stop > first]
        if self.hidden is not None:
            vectors = torch.relu(self.hidden(self.dropout(vectors)))
        logits: Tensor = self.output(self.dropout(vectors))
        return logits


def initialise(head: Head, seed: int) -> None:
    """Draw the weights of the linear layers (Glorot), and set biases to zero, so that each seed gives one head."""
    generator = torch.Generator().manual_seed(seed)
    for linear in (head.hidden, head.output):
        if linear is not None:
            bound = math.sqrt(6 / (linear.in_features + linear.out_features))
            with torch.no_grad():
                linear.weight.uniform_(-bound, bound, generator=generator)
                linear.bias.zero_()
