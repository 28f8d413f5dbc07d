"""A service as a maker of memory: one vector a sentence, asked for once and recorded.

The sentences come as ids of the tokenizer ``byte_bpe``, which are the bytes of their text, so that the service is given
the text itself. Answers are recorded as those about tokens are (:mod:`stageformer.artifacts.answers`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stageformer.batching.sentences import Ints, Sentences
from stageformer.building.model_files import load_model, weights_fingerprint
from stageformer.building.service import Served, ServiceEncoder, service_encoder
from stageformer.errors import StageformerError
from stageformer.memory.asker import Asker
from stageformer.params.services import AnyService, Http, LangChain

MAY_NEED = ("transformers",)
"""Of the model files that are read here, those of a pretrained encoder need it; none of a service does."""


class ServiceSource:
    """Makes memory by asking; see :class:`~stageformer.memory.sources.base.MemorySource`.

    Args:
        encoder: what ``train_encoder`` left
        asker: who is asked; None: nobody can be, and all that is known are fingerprint and width
    """

    kept = None

    def __init__(self, encoder: ServiceEncoder, asker: Asker | None) -> None:
        self._encoder, self._asker = encoder, asker
        self._vectors: dict[str, Tensor] = {}
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        """Of what decides the answers of the service."""
        return weights_fingerprint(self._encoder)

    @property
    def width(self) -> int:
        """E of its vectors."""
        return self._encoder.embedding.config.d_model

    def lengths(self, tokens: Ints) -> Ints:
        """One vector for each sentence."""
        return np.ones_like(tokens)

    def prepare(self, sentences: Iterable[Sentences], folder: Path | None = None) -> None:
        """Ask for all sentences at once, and record what was used in ``folder``.

        Raises:
            StageformerError: as :meth:`encode`.
        """
        asker = self._asking()
        self._ask(dict.fromkeys(asker.text(ids) for part in sentences for ids in part))
        if folder is not None:
            asker.answers.save_used(folder)

    def encode(self, sentences: Sentences) -> tuple[Tensor, Tensor]:
        """Return the vectors ``[B, 1, E]``, which are asked for if they are not known.

        Raises:
            StageformerError: nobody can be asked, the service refuses, has no vector for a text, or is another one
                than the encoder was made with.
        """
        texts = list(map(self._asking().text, sentences))
        self._ask(dict.fromkeys(texts))
        values = torch.stack([self._vectors[text] for text in texts]).unsqueeze(1)
        return values, torch.ones(len(texts), 1, dtype=torch.bool)

    def set_dropout(self, on: bool) -> None:
        """Do nothing. Raises StageformerError for dropout, which a service has not."""
        if on:
            raise StageformerError("encode.dropout_copies: a service has no dropout; set it to 0")

    def _asking(self) -> Asker:
        if self._asker is None:
            raise StageformerError(
                f"this model reads vectors of the service {self._encoder.description.name}, and a service is asked "
                "only in the repository whose params.yaml names it (train_encoder.service); translate there"
            )
        return self._asker

    def _ask(self, texts: Iterable[str]) -> None:
        asker = self._asking()
        with self._lock:
            missing = [text for text in texts if text not in self._vectors]
            if not missing:
                return
            if asker.source.asked.fingerprint != self._encoder.description.fingerprint:
                raise StageformerError(
                    f"train_encoder.service asks {_name(asker.params)}, but the encoder was made with another service "
                    f"or another revision of it ({self._encoder.description.name}); run `dvc repro`"
                )
            self._vectors |= vectors_of(asker, missing, self.width)


def vectors_of(asker: Asker, texts: Sequence[str], width: int | None = None) -> dict[str, Tensor]:
    """Return the vector ``[E]`` of each text.

    Args:
        asker: who is asked
        texts: each once
        width: that they must have; None: any

    Raises:
        StageformerError: the service refuses, a text has no vector, or one of another width.
    """
    source = asker.source
    found = source.vectors(texts)
    if len(found.rows) < len(texts):
        known = set(found.rows)
        missing = next(text for row, text in enumerate(texts) if row not in known)
        raise StageformerError(
            f"{source.name}: gives no vector for {len(texts) - len(found.rows):,} of {len(texts):,} sentences, such as "
            f"{missing!r:.80}"
        )
    if width is not None and found.vectors.size(1) != width:
        raise StageformerError(
            f"{source.name}: its vectors have {found.vectors.size(1)} values, but the encoder was made for {width}; "
            "run `dvc repro --force train_encoder`"
        )
    return {texts[row]: vector for row, vector in zip(found.rows, found.vectors, strict=True)}


def read_encoder(asker: Asker, sentence: Sequence[int], max_length: int) -> ServiceEncoder:
    """Make what stands for the service. It is asked for one sentence, by which its width is known.

    Args:
        asker: who is asked
        sentence: ids of a source, ``<eos>`` at the end
        max_length: of a source in tokens, ``<eos>`` included

    Raises:
        StageformerError: as :func:`vectors_of`.
    """
    (vector,) = vectors_of(asker, [asker.text(sentence)]).values()
    description = Served(_name(asker.params), asker.source.asked.fingerprint)
    return service_encoder(description, len(asker.vocabulary), len(vector), max_length)


def _name(params: AnyService) -> str:
    """Return a name without the address, which is no part of what a service is."""
    if isinstance(params, Http):
        return params.model
    return params.factory if isinstance(params, LangChain) else "a table of vectors"


def open_source(
    path: Path, pad_id: int, device: torch.device, layers: str | list[int] = "last", asker: Asker | None = None
) -> ServiceSource:
    """Open what the stage ``train_encoder`` left.

    Raises:
        StageformerError: on a bad artifact, or where layers are asked for, which a service has not.
    """
    model, _ = load_model(path, "encoder")
    if not isinstance(model.encoder, ServiceEncoder):
        raise StageformerError(f"{path}: holds no service; run `dvc repro --force train_encoder`")
    if layers != "last":
        raise StageformerError("encode.layers: a service has no layers; set it to 'last'")
    return ServiceSource(model.encoder, asker)
