"""The initial values of the embeddings, as the parameters of the stage ``embed`` ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stageformer.artifacts.answers import Answers
from stageformer.artifacts.made_with import made_with
from stageformer.artifacts.tables import write_table
from stageformer.building.embeddings import EmbeddingStart
from stageformer.building.lookup import ORIGINS, Lookup, by_chance, look_up, words_of
from stageformer.errors import StageformerError
from stageformer.model.embedding import sinusoidal_positions
from stageformer.params.choices import chosen
from stageformer.params.embed import Embed, Random
from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabularies, Vocabulary
from stageformer.vectors.base import VectorSource
from stageformer.vectors.random import random_vectors

_NEAREST = 5
_ROWS = 1024


@dataclass(frozen=True)
class Text:
    """What tells the words that tokens stand for, and what was answered about words before."""

    tokenizers: Path
    """folder of the tokenizers"""
    train: Path
    """table of the sentences"""
    answers: Answers


def make_embeddings(
    params: Embed, vocabularies: Vocabularies, text: Text | None = None
) -> tuple[EmbeddingStart, dict[str, Lookup]]:
    """Make the matrices and the table as the parameters say.

    Args:
        params: of the stage
        vocabularies: of both sides
        text: needed by every source but ``random``

    Returns:
        The start, and how each token got its vector, by side: ``source`` and ``target``, or ``shared``.

    Raises:
        StageformerError: the source cannot be read or holds no vectors, none of a token of the vocabulary, vectors that
            do not fit ``d_model``, or vectors whose numbers are all the same.
    """
    generator = torch.Generator().manual_seed(params.seed)
    distribution = params.source.distribution if isinstance(params.source, Random) else "normal"
    lookups = _look_up(params, vocabularies, text)

    widths = {lookup.vectors.size(1) for lookup in lookups.values() if lookup.rows} or {params.d_model}
    if len(widths) > 1:
        raise StageformerError(
            f"embed.source: vectors of the two sides have {' and '.join(map(str, sorted(widths)))} values"
        )
    (width,) = widths

    def matrix(side: str, vocabulary: Vocabulary) -> Tensor:
        weight = random_vectors(distribution, len(vocabulary), width, generator)
        if lookups[side].rows:
            weight[lookups[side].rows] = _sized(lookups[side].vectors, width)
        return weight

    source = matrix("shared" if vocabularies.shared else "source", vocabularies.source)
    target = source if vocabularies.shared else matrix("target", vocabularies.target)
    if params.positions == "sinusoidal":
        positions = sinusoidal_positions(params.max_length, params.d_model)
    elif params.positions == "learned":
        positions = torch.randn(params.max_length, params.d_model, generator=generator).mul_(params.d_model**-0.5)
    else:
        positions = torch.zeros(params.max_length, params.d_model)
    metadata = {
        "d_model": params.d_model,
        "scale": params.scale,
        "shared": vocabularies.shared,
        "initialisation": distribution if isinstance(params.source, Random) else params.source.kind,
        "positions": params.positions,
        "max_length": params.max_length,
        "made_with": made_with(vocabularies.parts),
    }
    projection = None
    if width != params.d_model:
        metadata["width"] = width
        projection = torch.randn(width, params.d_model, generator=generator).mul_(params.d_model**-0.5)
    return EmbeddingStart(source, target, positions, metadata, projection), lookups


def _look_up(params: Embed, vocabularies: Vocabularies, text: Text | None) -> dict[str, Lookup]:
    """Look up every vocabulary in the source, and fit the vectors to ``d_model``."""
    sides = {"source": vocabularies.source, "target": vocabularies.target}
    if vocabularies.shared:
        sides = {"shared": vocabularies.source}
    if isinstance(params.source, Random):
        return {side: by_chance(vocabulary) for side, vocabulary in sides.items()}
    assert text is not None
    source: VectorSource = chosen("stageformer.vectors", params.source.kind).open_source(params.source, text.answers)
    tokenizers = load_tokenizers(text.tokenizers)
    found = {}
    for side, vocabulary in sides.items():
        columns = ["source", "target"] if side == "shared" else [side]
        words = words_of(text.train, columns) if getattr(params.source, "pieces", "random") == "mean" else {}
        tokenizer = tokenizers.target if side == "target" else tokenizers.source
        lookup = look_up(vocabulary, tokenizer, source, words)
        vectors = _projected(lookup.vectors, params, source.name)
        if not (vectors.amax(1) > vectors.amin(1)).any():
            raise StageformerError(f"{source.name}: each of the {len(vectors)} vectors found is one number repeated")
        found[side] = Lookup(lookup.words, lookup.origins, lookup.rows, vectors)
    return found


def _projected(vectors: Tensor, params: Embed, name: str) -> Tensor:
    """Return vectors ``[found, E]`` at the width of the model, ``[found, D]``, unless their projection is learned."""
    width, how = vectors.size(1), getattr(params.source, "project", "error")
    if width == params.d_model or how == "learned":
        return vectors
    if how == "error":
        raise StageformerError(
            f"{name}: its vectors have {width} values, but embed.d_model is {params.d_model}; set one to the other, or "
            "embed.source.project"
        )
    if min(vectors.shape) < params.d_model:
        raise StageformerError(
            f"{name}: embed.source.project 'pca' keeps {params.d_model} components (embed.d_model), but "
            f"{len(vectors):,} vectors of {width} values have fewer"
        )
    centred = vectors.double() - vectors.double().mean(0)
    _, components = torch.linalg.eigh(centred.T @ centred)
    components = components.flip(1)[:, : params.d_model]  # [E, D], the largest variance first
    # The sign of a component is free; its largest number is positive.
    largest = components.gather(0, components.abs().argmax(0, keepdim=True))
    projected: Tensor = (centred @ (components * largest.sign())).float()
    return projected


def _sized(vectors: Tensor, width: int) -> Tensor:
    """Return vectors rescaled together to the size of random ones."""
    sized: Tensor = vectors * (width**-0.5 / vectors.std())
    return sized


def metrics(start: EmbeddingStart, lookups: Mapping[str, Lookup]) -> dict[str, Any]:
    """Return what the stage reports: sizes, and the number of tokens of each origin, by side."""
    matrices = [start.source, *([] if start.shared else [start.target])]
    matrices += [] if start.projection is None else [start.projection]
    return {
        "source_vocabulary": len(start.source),
        "target_vocabulary": len(start.target),
        "parameters": sum(matrix.numel() for matrix in matrices),
        "tokens": {side: counts(lookup) for side, lookup in lookups.items()},
    }


def counts(lookup: Lookup) -> dict[str, int]:
    """Return how many tokens have each origin, in the order of :data:`~stageformer.building.lookup.ORIGINS`."""
    return {origin: lookup.origins.count(origin) for origin in ORIGINS if origin in lookup.origins}


def summary(side: str, lookup: Lookup) -> str:
    """Return one line on how many tokens of a side have a vector of the source, and how they were found."""
    found = ", ".join(f"{count:,} {origin}" for origin, count in counts(lookup).items())
    return f"embed: {side} vocabulary: {len(lookup.rows) / len(lookup.origins):.1%} of the tokens found ({found})"


def write_lookups(path: Path, vocabularies: Vocabularies, start: EmbeddingStart, lookups: Mapping[str, Lookup]) -> None:
    """Write how each token got its vector, and which tokens are nearest to it, as a table of kind ``lookup``.

    Raises:
        StageformerError: the table cannot be written.
    """

    def rows(side: str, lookup: Lookup) -> dict[str, Any]:
        vocabulary = vocabularies.target if side == "target" else vocabularies.source
        weight = start.target if side == "target" else start.source
        first = len(vocabularies.source) if side == "target" else 0
        return {
            "id": range(first, first + len(vocabulary)),
            "side": [side] * len(vocabulary),
            "token": vocabulary.tokens,
            "count": vocabulary.counts,
            "word": lookup.words,
            "origin": lookup.origins,
            "nearest": nearest(vocabulary.tokens, weight, lookup.rows),
        }

    write_table(path, "lookup", (rows(side, lookup) for side, lookup in lookups.items()), vocabularies.parts)


def nearest(tokens: list[str], weight: Tensor, rows: list[int]) -> list[list[str]]:
    """Return for each token those of the ``rows`` whose vectors have the largest cosine with its own, itself left out.

    A token that is not among the rows has none: its vector means nothing yet.
    """
    found: list[list[str]] = [[] for _ in tokens]
    kept = [row for row in rows if tokens[row] not in SPECIAL_TOKENS]
    unit = torch.nn.functional.normalize(weight[kept].double(), dim=1)
    for start in range(0, len(kept), _ROWS):
        alike = unit[start : start + _ROWS] @ unit.T
        alike[torch.arange(len(alike)), torch.arange(start, start + len(alike))] = -2.0
        best = alike.topk(min(_NEAREST, len(kept) - 1), dim=1).indices.tolist()
        for row, others in zip(kept[start : start + _ROWS], best, strict=True):
            found[row] = [tokens[kept[other]] for other in others]
    return found
