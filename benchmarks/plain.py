"""The baseline: a ``torch.nn.Transformer`` and its training loop as a competent user writes them.

Nothing is slower than it need be: sentences of like length in each batch, the fused optimizer, no needless copies. It
drops out where Stageformer does (on residuals and embeddings; ``nn.Transformer`` alone would also drop out inside the
feed-forward network and on attention weights) and has no second norm after the last layer, so that both do the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from benchmarks.configurations import (
    ADAM_BETAS,
    ADAM_EPSILON,
    CLIP_NORM,
    DROPOUT,
    LABEL_SMOOTHING,
    LEARNING_RATE,
    MAX_LENGTH,
    Configuration,
)
from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Ints, Sentences

PAD = 0


class PlainTransformer(nn.Module):
    """``nn.Transformer`` with one embedding matrix for source, target and output."""

    positions: Tensor

    def __init__(self, shape: Configuration, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, shape.d_model)
        nn.init.normal_(self.embedding.weight, std=shape.d_model**-0.5)
        self.scale = math.sqrt(shape.d_model)
        self.register_buffer("positions", sines_and_cosines(MAX_LENGTH, shape.d_model), persistent=False)
        self.dropout = nn.Dropout(DROPOUT)
        self.transformer = nn.Transformer(
            shape.d_model, shape.num_heads, shape.num_layers, shape.num_layers, shape.d_ff, DROPOUT, batch_first=True
        )
        self.transformer.encoder.norm = self.transformer.decoder.norm = None
        for module in self.transformer.modules():
            if isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
            elif isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
                module.dropout.p = 0.0  # the one inside the feed-forward network

    def embed(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self.dropout(self.embedding(ids) * self.scale + self.positions[: ids.size(1)])
        return embedded

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the scores ``[B, T, V]`` of each next token after ``target [B, T]``, given ``source [B, S]``."""
        length = target.size(1)
        causal = torch.ones(length, length, dtype=torch.bool, device=target.device).triu(1)
        padding = source == PAD
        hidden = self.transformer(
            self.embed(source),
            self.embed(target),
            tgt_mask=causal,
            tgt_is_causal=True,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return F.linear(hidden, self.embedding.weight)


def sines_and_cosines(length: int, d_model: int) -> Tensor:
    angles = torch.arange(length)[:, None] * torch.exp(torch.arange(0, d_model, 2) * (-math.log(10_000.0) / d_model))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def smoothed_loss(scores: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean over tokens, given scores ``[B, T, V]`` and the tokens wanted ``[B, T]``."""
    return F.cross_entropy(
        scores.flatten(0, 1), wanted.flatten(), ignore_index=PAD, label_smoothing=LABEL_SMOOTHING
    )


def training_loop(model: nn.Module, pairs: Pairs, precision: str) -> Callable[[Ints], float]:
    """Return the function that trains ``model``, which maps source and target to scores, on the rows of one batch.

    It returns the mean loss of a token.
    """
    sources, targets = sentences(pairs.source), sentences(pairs.target)
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), LEARNING_RATE, ADAM_BETAS, ADAM_EPSILON, weight_decay=0.0, fused=True
    )

    def update(rows: Ints) -> float:
        source = pad_sequence([sources[row] for row in rows], batch_first=True, padding_value=PAD)
        target = pad_sequence([targets[row] for row in rows], batch_first=True, padding_value=PAD)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = smoothed_loss(model(source, target[:, :-1]), target[:, 1:])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        return float(loss.detach())

    return update


def sentences(of_one_side: Sentences) -> list[Tensor]:
    """Return the ids of each sentence."""
    return [torch.tensor(ids) for ids in of_one_side]
