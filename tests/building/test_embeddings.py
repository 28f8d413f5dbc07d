"""The start of the embeddings that the parameters ask for."""

import pytest
import torch

from stageformer.building.embeddings import make_embeddings
from stageformer.params.base import parse
from stageformer.params.embed import Embed
from stageformer.text.vocabulary import Vocabularies, Vocabulary

PARAMS = {
    "d_model": 64, "initialisation": "normal", "pretrained": None, "scale": True, "positions": "learned",
    "max_length": 500, "seed": 1,
}  # fmt: skip


def test_learned_positions_are_seeded_and_of_the_size_of_an_embedding() -> None:
    vocabulary = Vocabulary.from_counts({"a": 2, "b": 1}, min_frequency=1, max_size=None)
    vocabularies = Vocabularies(vocabulary, vocabulary, shared=True)
    (first, _), (second, _) = (make_embeddings(parse(Embed, PARAMS, "embed"), vocabularies) for _ in range(2))
    assert first.positions.shape == (500, 64)
    assert first.positions.std().item() == pytest.approx(64**-0.5, rel=0.03)
    assert torch.equal(first.positions, second.positions)
    other, _ = make_embeddings(parse(Embed, PARAMS | {"seed": 2}, "embed"), vocabularies)
    assert not torch.equal(first.positions, other.positions)
