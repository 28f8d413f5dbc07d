"""Encoder, decoder, and the whole model (section 3.1 of the paper, figure 1)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.model.attention import MultiHeadAttention, padding_mask
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.embedding import Embedding
from stageformer.model.layers import DecoderLayer, EncoderLayer


class Encoder(nn.Module):
    """Turn source ids into the memory that the decoder reads."""

    def __init__(self, embedding: EmbeddingConfig, stack: StackConfig) -> None:
        super().__init__()
        self.embedding = Embedding(embedding, stack.embedding_dropout)
        self.layers = nn.ModuleList(EncoderLayer(stack) for _ in range(stack.num_layers))
        self.norm = nn.LayerNorm(stack.d_model) if stack.norm == "pre" and not stack.attention_only else nn.Identity()
        self.kept = stack.kept

    def forward(self, source_ids: Tensor, source_present: Tensor | None = None) -> Tensor:
        """Return the memory ``[B, S, D]``; of several layers, side by side. Its rows at padding must be masked.

        ``source_ids [B, S]``; ``source_present [B, S]`` is True where there is a token; None: everywhere.
        """
        states = self.states(source_ids, source_present)
        return states[-1] if self.kept is None else torch.cat([states[layer] for layer in self.kept], dim=-1)

    def states(self, source_ids: Tensor, source_present: Tensor | None = None) -> list[Tensor]:
        """Return the embedding and then the output of each layer, all ``[B, S, D]``; arguments as :meth:`forward`."""
        source_mask = None if source_present is None else padding_mask(source_present)  # [B, 1, 1, S]
        states = [self.embedding(source_ids)]
        for layer in self.layers:
            states.append(layer(states[-1], source_mask))
        return [*states[:-1], self.norm(states[-1])]


class Decoder(nn.Module):
    """Predict each next target token from those before it and from the memory.

    With ``tie_output`` the embedding is the output projection, too (section 3.4); else that is a matrix of its own.
    Memory of another width E than D needs another ``bridge``, which is not the paper's.
    """

    def __init__(self, embedding: EmbeddingConfig, stack: StackConfig, tie_output: bool = True) -> None:
        super().__init__()
        self.bridge: nn.Module = nn.Identity()
        self.embedding = Embedding(embedding, stack.embedding_dropout)
        self.layers = nn.ModuleList(DecoderLayer(stack) for _ in range(stack.num_layers))
        self.norm = nn.LayerNorm(stack.d_model) if stack.norm == "pre" and not stack.attention_only else nn.Identity()
        scale = stack.d_model**-0.5
        self.projection = None if tie_output else nn.Parameter(torch.randn_like(self.embedding.weight) * scale)

    @property
    def output_weight(self) -> Tensor:
        """The matrix ``[V, D]`` that turns hidden states into logits."""
        return self.embedding.weight if self.projection is None else self.projection

    def forward(
        self, target_ids: Tensor, memory: Tensor, memory_present: Tensor | None = None, tgt_mask: Tensor | None = None
    ) -> Tensor:
        """Decode all positions at once (teacher forcing).

        Args:
            target_ids: ``[B, T]``, beginning with <bos>. Padding is at the end, where the causal mask hides it.
            memory: ``[B, S, E]``
            memory_present: ``[B, S]`` boolean, True where there is a token; None: everywhere
            tgt_mask: boolean, True = may attend, broadcastable to ``[B, H, T, T]``; None: the causal mask

        Returns:
            The hidden states ``[B, T, D]``; :meth:`logits` compares them with the vocabulary.
        """
        memory_mask = None if memory_present is None else padding_mask(memory_present)  # [B, 1, 1, S]
        memory = self.bridge(memory)  # [B, S, D]
        x = self.embedding(target_ids)  # [B, T, D]
        for layer in self.layers:
            x = layer(x, memory, memory_mask, tgt_mask)  # [B, T, D]
        hidden: Tensor = self.norm(x)  # [B, T, D]
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Turn hidden states ``[..., D]`` into logits ``[..., V]``: the softmax of them is the next token's."""
        return F.linear(hidden, self.output_weight)


class Transformer(nn.Module):
    """Encoder (ours unless one is given) and decoder; a ValueError if they share embeddings of different sizes."""

    def __init__(self, config: TransformerConfig, encoder: Encoder | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder or Encoder(config.source, config.encoder)
        self.decoder = Decoder(config.target, config.decoder, config.tie_output)
        for stack in [self.decoder] if encoder else [self.encoder, self.decoder]:
            initialise(stack)
        if config.share_embeddings:
            if config.source.vocabulary_size != config.target.vocabulary_size:
                raise ValueError("share_embeddings needs one vocabulary for both sides")
            self.decoder.embedding.weight = self.encoder.embedding.weight

    def forward(
        self, source_ids: Tensor, target_ids: Tensor,
        source_present: Tensor | None = None, tgt_mask: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Return the hidden states ``[B, T, D]``; the arguments are those of :class:`Encoder` and :class:`Decoder`."""
        hidden: Tensor = self.decoder(target_ids, self.encoder(source_ids, source_present), source_present, tgt_mask)
        return hidden


def initialise(module: nn.Module) -> None:
    """Fill every linear map under ``module``: Xavier-uniform weights, zero biases. Embeddings stay as they are."""
    widths = {part.in_projection: part.widths for part in module.modules() if isinstance(part, MultiHeadAttention)}
    for layer in (part for part in module.modules() if isinstance(part, nn.Linear)):
        for part in torch.split(layer.weight.data, widths.get(layer, len(layer.weight))):  # W^Q, W^K, W^V by themselves
            nn.init.xavier_uniform_(part)
        nn.init.zeros_(layer.bias)
