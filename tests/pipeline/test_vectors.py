"""The whole pipeline with vectors of a file that are wider than the model, and a projection that is learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stageformer.building.embeddings import load_embeddings
from stageformer.building.model_files import load_model
from tests.repositories import Repository


@pytest.mark.parametrize("way", ["staged", "joint"])
def test_every_stage_runs(repository: Repository, way: str) -> None:
    words = ["one", "two", "eins", "zwei", "lights", "kitchen", "küche", "a", "e", "n", "s", "t"]
    rows = np.random.default_rng(0).normal(size=(len(words), 20)).round(4)
    lines = "".join(f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, rows.tolist(), strict=True))
    (repository.root / "corpus/vectors.txt").write_text(lines, encoding="utf-8")
    repository.set(
        embed__source={
            "kind": "file", "path": "corpus/vectors.txt", "format": "auto", "pieces": "mean", "project": "learned"
        },
        train_encoder__way=way,
        train_decoder__freeze_embedding=True,
    )  # fmt: skip
    ran, _ = repository.repro("evaluate")
    assert ran[-4:] == ["encode", "train_decoder", "translate", "evaluate"]
    data = repository.root / "data"
    start = load_embeddings(data / "embed")
    assert start.source.shape[1] == 20
    assert start.projection is not None
    assert start.projection.shape == (20, 16)
    model, _ = load_model(data / "train_decoder/model.pt")
    assert model.encoder.embedding.weight.shape[1] == 16
    learned = not torch.allclose(model.encoder.embedding.weight, start.source @ start.projection, atol=1e-4)
    assert learned
