"""Vectors of another width than the model: an embedding matrix ``[V, D]`` that is a table ``[V, E]`` times ``[E, D]``.

While a model is trained, both learn, and ``embedding.weight`` is their product. A model that is saved has the product
alone: nothing after the training knows that there were two.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from stageformer.model.embedding import Embedding
from stageformer.model.transformer import Transformer


class Projection(nn.Module):
    """The product.

    Args:
        table: ``[V, E]``, what it begins with
        matrix: ``[E, D]``, what it begins with
    """

    def __init__(self, table: Tensor, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix.clone())
        self._table = table

    def forward(self, table: Tensor) -> Tensor:
        """Return ``[V, D]``."""
        return table @ self.matrix

    def right_inverse(self, _: Tensor) -> Tensor:
        """Return the table: torch asks what the product should begin with."""
        return self._table.clone()


def project(model: Transformer, side: str, table: Tensor, matrix: Tensor) -> None:
    """Make the embedding of a side (``source`` or ``target``) a product; sides that share a matrix share both factors.

    Args:
        model: its embedding
        side: whose embedding
        table: ``[V, E]``
        matrix: ``[E, D]``
    """
    embedding = embedding_of(model, side)
    other = embedding_of(model, "target" if side == "source" else "source")
    shares = model.config.share_embeddings and is_product(other)
    projection: nn.Module = _list_of(other)[0] if shares else Projection(table, matrix)
    # Unsafe: of sides that share the table, the second has its shape already, and the product has another one.
    parametrize.register_parametrization(embedding, "weight", projection, unsafe=True)


def embedding_of(model: Transformer, side: str) -> Embedding:
    """Return the embedding of a side."""
    return (model.encoder if side == "source" else model.decoder).embedding


def is_product(embedding: Embedding) -> bool:
    """Say whether an embedding is a table times a projection."""
    return bool(parametrize.is_parametrized(embedding))


def _list_of(embedding: Embedding) -> Any:
    """Return what torch keeps of a product: the projection, as the only item, and the table, as ``original``."""
    parametrizations: Any = embedding.parametrizations
    return parametrizations.weight


def table_of(embedding: Embedding) -> Tensor:
    """Return the parameter that holds the vectors of an embedding: the matrix, or the table of a product."""
    if is_product(embedding):
        table: Tensor = _list_of(embedding).original
        return table
    return embedding.weight


@torch.no_grad()
def multiply_out(model: Transformer) -> None:
    """Put the product in the place of its two factors, wherever there are any."""
    embeddings = [each for each in (model.encoder.embedding, model.decoder.embedding) if is_product(each)]
    products = [embedding.weight.clone() for embedding in embeddings]
    for embedding, product in zip(embeddings, products, strict=True):
        parametrize.remove_parametrizations(embedding, "weight", leave_parametrized=False)
        embedding.weight = nn.Parameter(product)
    if embeddings and model.config.share_embeddings:
        model.decoder.embedding.weight = model.encoder.embedding.weight
