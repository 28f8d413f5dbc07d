"""The start of the embeddings that the parameters ask for."""

from pathlib import Path

import pytest
import torch

from stageformer.building.embeddings import make_embeddings
from stageformer.errors import StageformerError
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


def two_vocabularies() -> Vocabularies:
    sides = [
        Vocabulary.from_counts({f"{side}{n}": 1 for n in range(20)}, min_frequency=1, max_size=None) for side in "st"
    ]
    return Vocabularies(*sides, shared=False)


def test_the_draws_of_both_sides_and_the_positions_follow_each_other() -> None:
    start, found = make_embeddings(parse(Embed, PARAMS, "embed"), two_vocabularies())
    generator = torch.Generator().manual_seed(1)
    assert torch.equal(start.source, torch.randn(24, 64, generator=generator) * 64**-0.5)
    assert torch.equal(start.target, torch.randn(24, 64, generator=generator) * 64**-0.5)
    assert torch.equal(start.positions, torch.randn(500, 64, generator=generator) * 64**-0.5)
    assert found == {}


def test_pretrained_vectors_fill_their_rows_at_the_size_of_the_others(tmp_path: Path) -> None:
    vectors = torch.randn(4, 64, generator=torch.Generator().manual_seed(5)) * 3
    names = ["s3", "t0", "unknown", "s1"]
    path = tmp_path / "vectors.vec"
    path.write_text(
        "\n".join(f"{name} " + " ".join(map(str, row)) for name, row in zip(names, vectors.tolist(), strict=True)),
        encoding="utf-8",
    )
    vocabularies = two_vocabularies()
    params = PARAMS | {"initialisation": "pretrained", "pretrained": str(path)}
    start, found = make_embeddings(parse(Embed, params, "embed"), vocabularies)
    by_chance, _ = make_embeddings(parse(Embed, PARAMS, "embed"), vocabularies)
    assert found == {"source": 2, "target": 1}
    known = vectors[[0, 3]]
    rows = vocabularies.source.to_ids(["s3", "s1"])
    assert torch.equal(start.source[rows], known * (64**-0.5 / known.std()))
    others = [row for row in range(24) if row not in rows]
    assert torch.equal(start.source[others], by_chance.source[others])
    assert torch.equal(start.positions, by_chance.positions)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("unknown 1 2\n", "holds none of the 24 tokens of the vocabulary"),
        ("s1 1 1\ns2 1 1\n", "the numbers of the 2 vectors found are all the same, or too large"),
        ("s1 0 0\n", "the numbers of the 1 vectors found are all the same, or too large"),
        ("s1 1e39 0\n", "the numbers of the 1 vectors found are all the same, or too large"),
    ],
)
def test_vectors_that_would_make_embeddings_of_nothing(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.vec").write_text(content, encoding="utf-8")
    params = PARAMS | {"initialisation": "pretrained", "pretrained": str(tmp_path / "x.vec"), "d_model": 2}
    with pytest.raises(StageformerError) as caught:
        make_embeddings(parse(Embed, params, "embed"), two_vocabularies())
    assert str(caught.value) == f"{tmp_path / 'x.vec'}: {message}"
