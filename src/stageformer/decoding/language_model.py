"""A causal encoder as something to search with: a decoder that reads no memory."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from stageformer.model.embedding import Embedding
from stageformer.model.transformer import Encoder


@dataclass(frozen=True)
class LanguageModel:
    """What the searches ask of a decoder, from an encoder that learnt to predict the next token.

    The first token is predicted from <bos> alone, and all others from the tokens before them without <bos>, as in its
    training (:class:`stageformer.training.tasks.next_token.NextToken`).

    Args:
        encoder: with a causal mask, in eval mode
    """

    encoder: Encoder

    @property
    def embedding(self) -> Embedding:
        """Of the tokens."""
        return self.encoder.embedding

    @property
    def layers(self) -> nn.ModuleList:
        """Without cross-attention."""
        return self.encoder.layers

    @property
    def norm(self) -> nn.Module:
        """After the last layer."""
        return self.encoder.norm

    @property
    def output_weight(self) -> Tensor:
        """The matrix ``[V, D]`` that turns hidden states into logits."""
        return self.encoder.embedding.weight

    def bridge(self, memory: Tensor) -> Tensor:
        """Return the memory ``[B, 1, D]`` as it is: no layer reads it."""
        return memory
