"""Parameters of the stage ``train_encoder``."""

from __future__ import annotations

from typing import Literal

from stageformer.params.base import Params, group, param
from stageformer.params.model import Stack
from stageformer.params.services import AnyService
from stageformer.params.training import Training

UNTRAINED = ("none", "pretrained", "service")
"""Objectives for which nothing is trained here."""


class Folder(Params):
    """An encoder that others trained, as the library Transformers writes it."""

    path: str | None = param(
        "its folder, with config.json, weights and tokenizer; null: another objective makes the encoder"
    )
    revision: str | None = param(
        "a name of one's own for the version of the files; with another one they are read anew; null: none"
    )


class TrainEncoder(Stack):
    """The encoder, and how it is trained."""

    way: Literal["staged", "joint"] = param(
        "staged: here, by its objective; its output is saved, and the decoder learns from that. joint: together with "
        "the decoder, from the start, by train_decoder"
    )
    objective: Literal["translation", "masked", "next_token", "pretrained", "service", "none"] = param(
        "way staged: translation: with a shallow throw-away decoder; masked: masked-token prediction; next_token: each "
        "token from those before it, under a causal mask (decoder-only language model); pretrained: an encoder of "
        "others, as it is; service: one vector a sentence, which a service is asked for; none: left as initialised"
    )
    pretrained: Folder = group("objective pretrained: which encoder")
    service: AnyService | None = group(
        "objective service: who is asked for the vector of each sentence; null: nobody", kind="kind"
    )
    decoder_num_layers: int = param("objective translation: layers of the throw-away decoder", minimum=1, maximum=1000)
    masked_fraction: float = param("objective masked: share of the tokens to predict", minimum=0.001, maximum=1)
    freeze_embedding: bool = param("keep the embedding matrices as they begin")
    ngram_order: int = param(
        "objective next_token: tokens of an n-gram, of the n-gram model that it is compared with", minimum=1, maximum=10
    )
    training: Training = group("optimisation: what an update is, how many there are, which weights are kept")

    @property
    def trained_by(self) -> str:
        """The objective that the stage trains the encoder by, or ``none`` if it leaves it as initialised."""
        return self.objective if self.way == "staged" else "none"

    @property
    def causal(self) -> bool | None:
        """The causal mask of the encoder: True, or None without one, as in :class:`StackConfig`."""
        return True if self.trained_by == "next_token" else None
