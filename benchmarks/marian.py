"""Hugging Face's ``MarianMTModel`` of the same shape, for the plain training loop; needs ``transformers``."""

from __future__ import annotations

from torch import Tensor, nn

from benchmarks.configurations import DROPOUT, MAX_LENGTH, Configuration
from benchmarks.plain import PAD


class Marian(nn.Module):
    """The model behind the call that the plain loop makes."""

    def __init__(self, shape: Configuration, vocabulary_size: int, eos_id: int) -> None:
        super().__init__()
        from transformers import MarianConfig, MarianMTModel

        self.model = MarianMTModel(
            MarianConfig(
                vocab_size=vocabulary_size,
                d_model=shape.d_model,
                encoder_layers=shape.num_layers,
                decoder_layers=shape.num_layers,
                encoder_attention_heads=shape.num_heads,
                decoder_attention_heads=shape.num_heads,
                encoder_ffn_dim=shape.d_ff,
                decoder_ffn_dim=shape.d_ff,
                dropout=DROPOUT,
                attention_dropout=0.0,
                activation_dropout=0.0,
                activation_function="relu",
                max_position_embeddings=MAX_LENGTH,
                scale_embedding=True,
                share_encoder_decoder_embeddings=True,
                tie_word_embeddings=True,
                pad_token_id=PAD,
                decoder_start_token_id=PAD,
                eos_token_id=eos_id,
                forced_eos_token_id=eos_id,
                use_cache=False,
                attn_implementation="sdpa",
            )
        )

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the scores ``[B, T, V]``."""
        output = self.model(input_ids=source, attention_mask=(source != PAD).long(), decoder_input_ids=target)
        scores: Tensor = output.logits
        return scores
