"""The encoder of this library as a maker of memory."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from stageformer.batching.sentences import Ints, Sentences
from stageformer.building.model_files import load_model, weights_fingerprint
from stageformer.building.pretrained import PretrainedEncoder
from stageformer.errors import StageformerError
from stageformer.model.transformer import Encoder
from stageformer.params.encode import kept_layers

MAY_NEED = ("transformers",)
"""Where others trained the encoder."""


class EncoderSource:
    """Makes memory by our own encoder; see :class:`~stageformer.memory.sources.base.MemorySource`.

    Args:
        encoder: on the device to compute on, in eval mode; its weights must not change
        pad_id: the id that fills a batch up
    """

    def __init__(self, encoder: Encoder, pad_id: int) -> None:
        self.encoder = encoder
        self.pad_id = pad_id

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights."""
        return weights_fingerprint(self.encoder)

    @property
    def width(self) -> int:
        """The encoder's d_model, times the layers that it keeps."""
        return self.encoder.embedding.config.d_model * len(self.encoder.kept or [-1])

    @property
    def kept(self) -> list[int] | None:
        """The layers that stand side by side, or None."""
        return self.encoder.kept

    def lengths(self, tokens: Ints) -> Ints:
        """One vector for each token."""
        return tokens

    def prepare(self, sentences: Iterable[Sentences], folder: Path | None = None) -> None:
        """Nothing is to be done."""

    def encode(self, sentences: Sentences) -> tuple[Tensor, Tensor]:
        """Run the encoder; the memory is on its device.

        Raises:
            StageformerError: a sentence is longer than the table of positions.
        """
        most, longest = self.encoder.embedding.config.max_length, int(sentences.lengths.max(initial=0))
        if longest > most:
            raise StageformerError(
                f"a text has {longest:,} tokens with <eos>, the encoder takes {most:,} (embed.max_length); shorten it"
            )
        device = self.encoder.embedding.weight.device
        ids, present = (tensor.to(device) for tensor in sentences.padded(self.pad_id))
        return self.encoder(ids, present), present

    def set_dropout(self, on: bool) -> None:
        """Switch the encoder to train or eval mode. Raises StageformerError where others trained it."""
        if on and isinstance(self.encoder, PretrainedEncoder):
            raise StageformerError(
                "encode.dropout_copies: a pretrained encoder has no dropout here; set it to 0"
            )
        self.encoder.train(on)


def open_source(
    path: Path, pad_id: int, device: torch.device, layers: str | list[int] = "last", asker: object = None
) -> EncoderSource:
    """Read the encoder of an artifact of kind ``encoder``.

    Args:
        path: the artifact
        pad_id: the id that fills a batch up
        device: to compute on
        layers: those that make memory, side by side, as ``encode.layers``
        asker: is not needed

    Raises:
        StageformerError: on a bad artifact, or where there is no such layer.
    """
    model, _ = load_model(path, "encoder")
    model.encoder.kept = kept_layers(layers, model.config.encoder.num_layers)
    return EncoderSource(model.encoder.to(device), pad_id)
