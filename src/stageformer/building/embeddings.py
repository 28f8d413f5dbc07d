"""The artifacts of the stage ``embed``: initial values of the embedding matrices, and the table of positions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stageformer.artifacts.fields import check_fields
from stageformer.artifacts.files import first_line
from stageformer.artifacts.header import rerun_hint
from stageformer.artifacts.made_with import check_made_with
from stageformer.artifacts.tensors import check_finite, read_tensors, write_tensors
from stageformer.building.projection import embedding_of, is_product, project
from stageformer.errors import StageformerError
from stageformer.model.config import EmbeddingConfig
from stageformer.model.transformer import Transformer
from stageformer.text.vocabulary import Vocabularies


@dataclass(frozen=True)
class EmbeddingStart:
    """What a model's embeddings begin with."""

    source: Tensor
    """``[V, D]``; ``[V, E]`` where there is a projection"""
    target: Tensor
    """as ``source``; the same tensor as ``source`` where the vocabulary is shared"""
    positions: Tensor
    """``[max_length, D]``"""
    metadata: dict[str, Any]
    projection: Tensor | None = None
    """``[E, D]``, for vectors of another width than that of the model"""

    @property
    def shared(self) -> bool:
        """Whether both sides have one vocabulary and one matrix."""
        return bool(self.metadata["shared"])

    def config(self, side: str) -> EmbeddingConfig:
        """Return the configuration of one side (``source`` or ``target``) of a model."""
        return EmbeddingConfig(
            vocabulary_size=len(getattr(self, side)),
            d_model=self.metadata["d_model"],
            scale=self.metadata["scale"],
            positions=self.metadata["positions"],
            max_length=self.metadata["max_length"],
        )

    @torch.no_grad()
    def fill(self, model: Transformer, side: str) -> None:
        """Copy the start into the embedding of one side of a model."""
        embedding, table = embedding_of(model, side), getattr(self, side)
        if self.projection is None:
            embedding.weight.copy_(table)
        else:
            project(model, side, table, self.projection)
        if embedding.positions is not None:
            embedding.positions.copy_(self.positions)

    def is_start_of(self, model: Transformer, side: str) -> bool:
        """Say whether the embedding of one side of a model is one matrix, and still as it began."""
        embedding = embedding_of(model, side)
        if is_product(embedding):
            return False
        table = getattr(self, side)
        began = table if self.projection is None else table @ self.projection
        return torch.allclose(embedding.weight, began, rtol=1e-4, atol=1e-6)


def save_embeddings(folder: Path, start: EmbeddingStart) -> None:
    """Write ``embedding.pt`` and ``positions.pt``. Raises StageformerError when they cannot be written."""
    matrices = {"shared": start.source} if start.shared else {"source": start.source, "target": start.target}
    if start.projection is not None:
        matrices["projection"] = start.projection
    write_tensors(folder / "embedding.pt", "embedding", matrices, start.metadata)
    write_tensors(folder / "positions.pt", "positions", {"positions": start.positions}, start.metadata)


def load_embeddings(folder: Path, vocabularies: Vocabularies | None = None) -> EmbeddingStart:
    """Read what :func:`save_embeddings` wrote.

    Raises:
        StageformerError: on a bad artifact, on two of different runs, or on one that was not made with the
            vocabularies that are given.
    """
    file = read_tensors(folder / "embedding.pt", "embedding")
    of_positions = read_tensors(folder / "positions.pt", "positions")
    if of_positions.metadata != file.metadata:
        raise StageformerError(
            f"{folder / 'positions.pt'}: is of another run than {folder / 'embedding.pt'}{rerun_hint('positions')}"
        )
    check_made_with(folder / "embedding.pt", file.metadata, vocabularies.parts if vocabularies else {})
    check_finite(folder / "embedding.pt", "embedding", file.tensors)
    check_finite(folder / "positions.pt", "positions", of_positions.tensors)
    try:
        start = _start(file.tensors, of_positions.tensors, file.metadata)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else first_line(error)
        raise StageformerError(
            f"{folder / 'embedding.pt'}: does not fit together with positions.pt ({reason}){rerun_hint('embedding')}"
        ) from None
    for side in ("source", "target") if vocabularies else ():
        found, needed = len(getattr(start, side)), len(getattr(vocabularies, side))
        if found != needed:
            raise StageformerError(
                f"{folder / 'embedding.pt'}: has {found} {side} rows, but the vocabulary has {needed} entries"
                f"{rerun_hint('embedding')}"
            )
    return start


def _start(matrices: Mapping[str, Tensor], tables: Mapping[str, Tensor], metadata: dict[str, Any]) -> EmbeddingStart:
    """Return the start that two files hold. Raises KeyError, TypeError or ValueError unless they fit together."""
    if type(metadata["shared"]) is not bool:
        raise ValueError("shared is not true or false")
    sides = {"shared"} if metadata["shared"] else {"source", "target"}
    if matrices.keys() != sides | ({"projection"} if "width" in metadata else set()):
        raise ValueError(f"found the matrices {', '.join(matrices) or 'none'}")
    source, target = (matrices[side] if side in matrices else matrices["shared"] for side in ("source", "target"))
    start = EmbeddingStart(source, target, tables["positions"], metadata, matrices.get("projection"))
    for side in ("source", "target"):
        check_fields(EmbeddingConfig, dataclasses.asdict(start.config(side)), side)
    for name, tensor in (*matrices.items(), *tables.items()):
        rows = {"positions": metadata["max_length"], "projection": metadata.get("width")}.get(name, len(tensor))
        width = (
            metadata["d_model"] if name in ("positions", "projection") else metadata.get("width", metadata["d_model"])
        )
        if tensor.shape != (rows, width) or tensor.dtype != torch.float32:
            raise ValueError(f"{name} is {list(tensor.shape)} of {tensor.dtype}, needed [{rows}, {width}] of float32")
    return start
