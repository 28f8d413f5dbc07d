"""`stageformer nearest`: the neighbours that gensim finds in the same vectors."""

from __future__ import annotations

import json

import gensim
import pytest
from click.testing import CliRunner

from stageformer.building.embeddings import load_embeddings
from stageformer.building.model_files import load_model
from stageformer.cli import main
from stageformer.text.vocabulary import SPECIAL_TOKENS, load_vocabularies
from tests.repositories import Repository


@pytest.mark.parametrize("side", ["source", "target"])
def test_the_neighbours_are_gensim_s(finished: Repository, side: str) -> None:
    data = finished.root / "data"
    tokens = load_vocabularies(data / "vocab").source.tokens
    token = next(token for token in tokens if token.startswith("▁") and len(token) > 3)
    arguments = ["nearest", token.removeprefix("▁"), "--side", side, "--number", "3", "--root", str(finished.root)]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.output)
    assert found["token"] == token
    model, _ = load_model(data / "train_decoder/model.pt")
    trained = model.encoder if side == "source" else model.decoder
    weights = {"before": getattr(load_embeddings(data / "embed"), side), "after": trained.embedding.weight.detach()}
    for when, weight in weights.items():
        vectors = gensim.models.KeyedVectors(weight.size(1))
        rows = [row for row, known in enumerate(tokens) if known not in SPECIAL_TOKENS]
        vectors.add_vectors([tokens[row] for row in rows], weight[rows].numpy())
        expected = vectors.most_similar(token, topn=3)
        assert [name for name, _ in found[when]] == [name for name, _ in expected]
        assert [cosine for _, cosine in found[when]] == pytest.approx([cosine for _, cosine in expected], abs=1e-4)
    lines = CliRunner().invoke(main, arguments).output.splitlines()
    assert lines[0].split() == ["token", "before", "training", "after", "training"]
    assert lines[1].split()[0] == token


def test_an_unknown_token(finished: Repository) -> None:
    result = CliRunner().invoke(main, ["nearest", "kitchenn", "--root", str(finished.root)])
    assert result.exit_code == 2
    assert "error: 'kitchenn' is no token of the target vocabulary" in result.output
    assert result.output.count("\n") == 1
