"""The two kinds of layer: self-attention and feed-forward, with cross-attention between them in the decoder.

Post-norm is the paper's ``LayerNorm(x + Sublayer(x))`` (section 3.1); pre-norm is ``x + Sublayer(LayerNorm(x))``
(Xiong et al. 2020), which needs one more norm after the last layer. ``attention_only`` is a teaching ablation: nothing
but the attention, to see what the residual, the norm and the feed-forward network are for.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.model.attention import MultiHeadAttention
from stageformer.model.config import StackConfig
from stageformer.model.dropout import Dropout, add_dropped


class FeedForward(nn.Module):
    """Two linear maps with an activation between them, applied to each position separately (section 3.3)."""

    def __init__(self, d_model: int, d_ff: int, activation: str = "relu") -> None:
        super().__init__()
        self.inner = nn.Linear(d_model, d_ff)
        self.outer = nn.Linear(d_ff, d_model)
        self.activation = F.relu if activation == "relu" else F.gelu

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, D]`` to ``[B, T, D]``."""
        hidden = self.activation(self.inner(x))  # [B, T, F]
        output: Tensor = self.outer(hidden)  # [B, T, D]
        return output


class Sublayer(nn.Module):
    """What surrounds each attention and each feed-forward network: dropout, the residual sum and the layer norm."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.attention_only = config.attention_only
        self.pre_norm = config.norm == "pre"
        if not config.attention_only:
            self.norm = nn.LayerNorm(config.d_model)
            self.dropout = Dropout(config.residual_dropout)

    def forward(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Apply ``function`` to ``x [B, T, D]`` with all that surrounds it; returns ``[B, T, D]``."""
        if self.attention_only:
            return function(x)
        rate = self.dropout.current_rate
        if self.pre_norm:
            return add_dropped(x, function(self.norm(x)), rate)  # x + dropout(function(norm(x)))
        output: Tensor = self.norm(add_dropped(x, function(x), rate))  # norm(x + dropout(function(x)))
        return output


class EncoderLayer(nn.Module):
    """Self-attention over the source, then the feed-forward network."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        sizes = (config.d_model, config.num_heads, config.attention_dropout, config.d_k or 0, config.d_v or 0)
        self.self_attention = MultiHeadAttention(*sizes)
        self.self_attention_sublayer = Sublayer(config)
        shape = (config.d_model, config.d_ff, config.activation)
        self.feed_forward = nn.Identity() if config.attention_only else FeedForward(*shape)
        self.feed_forward_sublayer = Sublayer(config)
        self.causal = bool(config.causal)

    def forward(self, x: Tensor, source_mask: Tensor | None = None) -> Tensor:
        """Map ``x [B, S, D]`` to ``[B, S, D]``; ``source_mask`` is broadcastable to ``[B, H, S, S]``."""
        mask = None if self.causal else source_mask  # padding is at the end, where the causal mask hides it
        x = self.self_attention_sublayer(x, lambda h: self.self_attention(h, mask=mask, causal=self.causal))
        x = self.feed_forward_sublayer(x, self.feed_forward)  # [B, S, D]
        return x


class DecoderLayer(nn.Module):
    """Masked self-attention over the target, cross-attention over the memory, then the feed-forward network."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        sizes = (config.d_model, config.num_heads, config.attention_dropout, config.d_k or 0, config.d_v or 0)
        self.self_attention = MultiHeadAttention(*sizes)
        self.self_attention_sublayer = Sublayer(config)
        self.cross_attention = MultiHeadAttention(*sizes)
        self.cross_attention_sublayer = Sublayer(config)
        shape = (config.d_model, config.d_ff, config.activation)
        self.feed_forward = nn.Identity() if config.attention_only else FeedForward(*shape)
        self.feed_forward_sublayer = Sublayer(config)

    def forward(
        self, x: Tensor, memory: Tensor, memory_mask: Tensor | None = None, tgt_mask: Tensor | None = None
    ) -> Tensor:
        """Map ``x [B, T, D]`` to ``[B, T, D]``.

        Args:
            x: ``[B, T, D]``
            memory: the encoder output, ``[B, S, D]``
            memory_mask: broadcastable to ``[B, H, T, S]``; None: all of the memory
            tgt_mask: broadcastable to ``[B, H, T, T]``; None: the causal mask
        """
        x = self.self_attention_sublayer(x, lambda h: self.self_attention(h, mask=tgt_mask, causal=tgt_mask is None))
        x = self.cross_attention_sublayer(x, lambda h: self.cross_attention(h, memory, memory_mask))  # [B, T, D]
        x = self.feed_forward_sublayer(x, self.feed_forward)  # [B, T, D]
        return x
