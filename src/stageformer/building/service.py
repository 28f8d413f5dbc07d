"""A service in the place of an encoder: the memory of a sentence is the one vector that the service returns for it.

In our artifacts it is what tells its vectors from those of others, a hash, and the width. Whom to ask and with which
key stands in ``params.yaml`` and in the environment: a model that comes from elsewhere sends nothing to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from stageformer.building.others import EncoderOfOthers
from stageformer.errors import StageformerError
from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.embedding import Embedding


@dataclass(frozen=True)
class Served:
    """Which service it is, as plain values."""

    name: str
    """for messages: its model, its class or its query"""
    fingerprint: str
    """of what decides its answers, see :class:`~stageformer.artifacts.answers.Asked`"""

    @staticmethod
    def of_file(values: object) -> Served:
        """Return what a file holds. Raises KeyError or TypeError on anything else."""
        if not isinstance(values, Mapping):
            raise TypeError("service is no group of values")
        found = Served(values["name"], values["fingerprint"])
        if not isinstance(found.name, str) or not isinstance(found.fingerprint, str):
            raise TypeError("service holds values of other types")
        return found

    def values(self) -> dict[str, Any]:
        """Return the plain values to store."""
        return asdict(self)


class ServiceEncoder(EncoderOfOthers):
    """Stands for a service. It has no weights and computes nothing.

    Args:
        description: which service it is
        embedding: of the sources: how many ids may occur; the width is that of the vectors
        stack: the width; of the other values none means anything
    """

    def __init__(self, description: Served, embedding: EmbeddingConfig, stack: StackConfig) -> None:
        nn.Module.__init__(self)
        self._description = description
        self.stack = stack
        self.embedding = _NoEmbedding(embedding)
        self.layers = nn.ModuleList()
        self.norm = nn.Identity()
        self.kept = None
        self.eval()

    @property
    def description(self) -> Served:
        """Which service it is."""
        return self._description

    def forward(self, source_ids: Tensor, source_present: Tensor | None = None) -> NoReturn:
        """Raise StageformerError: no ids go in here."""
        raise StageformerError(
            f"the memory of this model is vectors of the service {self.description.name}; there is no encoder to run"
        )

    def states(self, source_ids: Tensor, source_present: Tensor | None = None) -> NoReturn:
        """Raise StageformerError, as :meth:`forward`."""
        self.forward(source_ids)


class _NoEmbedding(Embedding):
    """No matrix: the sources are text."""

    def __init__(self, config: EmbeddingConfig) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.register_buffer("weight", torch.empty(0, config.d_model), persistent=False)
        self.positions = None


def service_encoder(description: Served, vocabulary_size: int, width: int, max_length: int) -> ServiceEncoder:
    """Return what stands for a service whose vectors are ``width`` wide.

    Args:
        description: which service it is
        vocabulary_size: of the sources
        width: E
        max_length: of a source in tokens, <eos> included
    """
    embedding = EmbeddingConfig(vocabulary_size, width, scale=False, positions="none", max_length=max_length)
    return ServiceEncoder(description, embedding, StackConfig(width, num_layers=1, num_heads=1, d_ff=1))
