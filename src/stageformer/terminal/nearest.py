"""The tokens whose embeddings are nearest to that of a token, before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stageformer.building.embeddings import load_embeddings
from stageformer.building.model_files import load_model
from stageformer.errors import StageformerError, did_you_mean
from stageformer.terminal.text import columns
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabulary, load_vocabularies

_MARKS = ("", "▁", "Ġ", "##")


def neighbours(root: Path, tokens: Sequence[str], side: str, number: int) -> list[dict[str, Any]]:
    """Find the nearest tokens in the embedding that a repository began with, and in that of its model.

    Args:
        root: of the repository
        tokens: of the vocabulary, with or without the mark of their tokenizer
        side: ``source`` or ``target``
        number: of tokens to find

    Returns:
        For each token: ``token``, and under ``before`` and ``after`` the nearest ones with their cosines.

    Raises:
        StageformerError: an artifact is missing or damaged, or the vocabulary has no such token.
    """
    vocabularies = load_vocabularies(root / "data/vocab")
    vocabulary: Vocabulary = getattr(vocabularies, side)
    start = load_embeddings(root / "data/embed", vocabularies)
    model, _ = load_model(root / "data/train_decoder/model.pt", "model", vocabularies)
    before: Tensor = getattr(start, side)
    if start.projection is not None:
        before = before @ start.projection
    after = (model.encoder if side == "source" else model.decoder).embedding.weight.detach()
    found = []
    for token in tokens:
        (row,) = vocabulary.to_ids([_known(token, vocabulary, side)])
        nearest = (_nearest(weight, row, vocabulary, number) for weight in (before, after))
        found.append({"token": vocabulary.tokens[row], **dict(zip(("before", "after"), nearest, strict=True))})
    return found


def table(found: Sequence[dict[str, Any]]) -> str:
    """Return a line for each token."""
    rows = [
        [each["token"], *(", ".join(other for other, _ in each[when]) for when in ("before", "after"))]
        for each in found
    ]
    return "\n".join(columns([["token", "before training", "after training"], *rows]))


def _known(token: str, vocabulary: Vocabulary, side: str) -> str:
    for mark in _MARKS:
        if token and f"{mark}{token}" in vocabulary:
            return f"{mark}{token}"
    raise StageformerError(
        f"{token!r} is no token of the {side} vocabulary{did_you_mean(token, vocabulary.tokens)}; "
        "`stageformer tokenize` cuts a text into tokens"
    )


def _nearest(weight: Tensor, row: int, vocabulary: Vocabulary, number: int) -> list[tuple[str, float]]:
    unit = torch.nn.functional.normalize(weight.double(), dim=1)
    alike = unit @ unit[row]
    alike[[row, *(index for index, token in enumerate(vocabulary.tokens) if token in SPECIAL_TOKENS)]] = -torch.inf
    cosines, rows = alike.topk(min(number, int(alike.isfinite().sum())))
    return [
        (vocabulary.tokens[other], round(cosine, 4))
        for other, cosine in zip(rows.tolist(), cosines.tolist(), strict=True)
    ]
