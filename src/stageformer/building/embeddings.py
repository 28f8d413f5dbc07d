"""The artifacts of the stage ``embed``: start of the embedding matrices, and the table of positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stageformer.artifacts.tensors import check_finite, read_tensors, write_tensors
from stageformer.errors import StageformerError
from stageformer.model.config import EmbeddingConfig
from stageformer.model.embedding import Embedding, sinusoidal_positions
from stageformer.params.embed import Embed
from stageformer.text.vocabulary import Vocabularies, Vocabulary


@dataclass(frozen=True)
class EmbeddingStart:
    """What a model's embeddings begin with."""

    source: Tensor
    """``[V, D]``"""
    target: Tensor
    """``[V, D]``; the same tensor as ``source`` where the vocabulary is shared"""
    positions: Tensor
    """``[max_length, D]``"""
    metadata: dict[str, Any]

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

    def metrics(self, found: Mapping[str, int]) -> dict[str, Any]:
        """Return what the stage embed reports, given the number of pretrained tokens ``found`` by side."""
        return {
            "source_vocabulary": len(self.source),
            "target_vocabulary": len(self.target),
            "parameters": self.source.numel() + (0 if self.shared else self.target.numel()),
            "pretrained_tokens_found": dict(found),
        }

    @torch.no_grad()
    def fill(self, embedding: Embedding, side: str) -> None:
        """Copy the start into the embedding of a model."""
        embedding.weight.copy_(getattr(self, side))
        if embedding.positions is not None:
            embedding.positions.copy_(self.positions)


def make_embeddings(params: Embed, vocabularies: Vocabularies) -> tuple[EmbeddingStart, dict[str, int]]:
    """Make the matrices and the table as the parameters say.

    Random rows have a standard deviation of 1 / sqrt(D): after scaling by sqrt(D) they are as large as positions.

    Returns:
        The start, and for pretrained vectors the number of tokens found in the file, by side.

    Raises:
        StageformerError: the file of pretrained vectors is missing, damaged or of another width.
    """
    generator = torch.Generator().manual_seed(params.seed)
    d_model = params.d_model
    found: dict[str, int] = {}

    def matrix(side: str, vocabulary: Vocabulary) -> Tensor:
        weight: Tensor = torch.randn(len(vocabulary), d_model, generator=generator) * d_model**-0.5
        if params.initialisation == "xavier":
            torch.nn.init.xavier_uniform_(weight, generator=generator)
        if params.initialisation == "pretrained":
            assert params.pretrained is not None  # checked by the parameter class
            found[side] = fill_pretrained(weight, vocabulary, Path(params.pretrained))
        return weight

    source = matrix("source", vocabularies.source)
    target = source if vocabularies.shared else matrix("target", vocabularies.target)
    if params.positions == "sinusoidal":
        positions = sinusoidal_positions(params.max_length, d_model)
    elif params.positions == "learned":
        positions = torch.randn(params.max_length, d_model, generator=generator).mul_(d_model**-0.5)
    else:
        positions = torch.zeros(params.max_length, d_model)
    metadata = {
        "d_model": d_model,
        "scale": params.scale,
        "shared": vocabularies.shared,
        "initialisation": params.initialisation,
        "positions": params.positions,
        "max_length": params.max_length,
    }
    return EmbeddingStart(source, target, positions, metadata), found


def fill_pretrained(weight: Tensor, vocabulary: Vocabulary, path: Path) -> int:
    """Copy the vectors of a word2vec text file (``token value value ...`` a line) into the rows of their tokens.

    The vectors are rescaled together to the size of the random rows, which the other tokens keep.

    Returns:
        The number of tokens found.

    Raises:
        StageformerError: with file and line.
    """
    d_model = weight.size(1)
    ids = {token: index for index, token in enumerate(vocabulary.tokens)}
    rows: dict[int, Tensor] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                token, *values = line.rstrip("\n").split(" ")
                if number == 1 and len(values) == 1:
                    continue  # the header: number of vectors and their width
                if len(values) != d_model:
                    raise StageformerError(f"{path}:{number}: {len(values)} values, but embed.d_model is {d_model}")
                if token in ids:
                    rows[ids[token]] = torch.tensor([float(value) for value in values])
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file; embed.pretrained should name a file of word vectors") from None
    except ValueError as error:
        raise StageformerError(f"{path}:{number}: not a line of token and numbers ({error})") from None
    if not rows:
        raise StageformerError(f"{path}: holds none of the {len(ids)} tokens of the vocabulary")
    vectors = torch.stack(list(rows.values()))
    weight[list(rows)] = vectors * (d_model**-0.5 / vectors.std())
    return len(rows)


def save_embeddings(folder: Path, start: EmbeddingStart) -> None:
    """Write ``embedding.pt`` and ``positions.pt``. Raises StageformerError when the disk is full."""
    matrices = {"shared": start.source} if start.shared else {"source": start.source, "target": start.target}
    write_tensors(folder / "embedding.pt", "embedding", matrices, start.metadata)
    write_tensors(folder / "positions.pt", "positions", {"positions": start.positions}, start.metadata)


def load_embeddings(folder: Path) -> EmbeddingStart:
    """Read what :func:`save_embeddings` wrote. Raises StageformerError on a bad artifact."""
    file = read_tensors(folder / "embedding.pt", "embedding")
    of_positions = read_tensors(folder / "positions.pt", "positions")
    check_finite(folder / "embedding.pt", file)
    check_finite(folder / "positions.pt", of_positions)
    matrices = file.tensors
    source = matrices["shared"] if "shared" in matrices else matrices["source"]
    return EmbeddingStart(source, matrices.get("target", source), of_positions.tensors["positions"], file.metadata)
