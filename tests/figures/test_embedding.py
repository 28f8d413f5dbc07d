import csv

import numpy as np
import torch
from matplotlib.image import imread

from stageformer.figures.embedding import MOST_TOKENS, _overlap, _places, project, project_embeddings, write_projections
from stageformer.figures.positions import position_similarity
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.embedding import sinusoidal_positions
from stageformer.model.transformer import Transformer
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabularies, Vocabulary


def make_vocabulary(size):
    counts = {f"t{index}": size - index for index in range(size)}
    return Vocabulary.from_counts(counts, min_frequency=1, max_size=None)


def make_weight(vocabulary, width=6):
    return torch.randn(len(vocabulary), width, generator=torch.Generator().manual_seed(1))


def test_the_projection_is_the_plane_of_largest_variance():
    vocabulary = make_vocabulary(MOST_TOKENS + 10)
    weight = make_weight(vocabulary)
    weight[4:, 2] *= 9  # most variance along this column, then along that one
    weight[4:, 5] *= 3
    found = project("source", vocabulary, weight)
    assert found.tokens == vocabulary.tokens[len(SPECIAL_TOKENS) :][:MOST_TOKENS], "the most frequent, none special"
    vectors = weight[4 : 4 + MOST_TOKENS].double().numpy()
    for axis, column in enumerate((2, 5)):
        assert abs(np.corrcoef(found.points[:, axis], vectors[:, column])[0, 1]) > 0.99
    # Against the eigenvalues of the covariance, found another way.
    values = np.linalg.eigvalsh(np.cov(vectors.T))[::-1]
    np.testing.assert_allclose(found.points.var(0, ddof=1), values[:2])
    np.testing.assert_allclose(found.explained, values[:2] / values.sum())


def test_a_mirror_image_is_drawn_the_same():
    vocabulary = make_vocabulary(30)
    weight = make_weight(vocabulary)
    np.testing.assert_allclose(project("x", vocabulary, weight).points, project("x", vocabulary, -weight).points)


def test_one_panel_a_matrix_and_those_of_the_same_tokens_turned_the_same_way():
    vocabulary = make_vocabulary(50)
    side = EmbeddingConfig(len(vocabulary), 8)
    stack = StackConfig(8, 1, 1, 8)
    vocabularies = Vocabularies(vocabulary, vocabulary, shared=True)
    tied = Transformer(TransformerConfig(side, side, stack, stack, share_embeddings=True))
    assert [each.side for each in project_embeddings(tied, vocabularies)] == ["shared"]
    apart = Transformer(TransformerConfig(side, side, stack, stack))
    with torch.no_grad():
        apart.decoder.embedding.weight.copy_(apart.encoder.embedding.weight)
        # Frequent tokens move to the other side: by frequency alone, this panel would be mirrored.
        apart.decoder.embedding.weight[4:8] *= -3
    source, target = project_embeddings(apart, vocabularies)
    assert [source.side, target.side] == ["source", "target"]
    assert ((source.points * target.points).sum(0) > 0).all()


def test_small_vocabularies_and_equal_vectors(tmp_path):
    one = make_vocabulary(1)
    assert project("shared", one, make_weight(one)).points.tolist() == [[0.0, 0.0]]
    few = make_vocabulary(5)
    same = project("shared", few, torch.ones(9, 4))
    assert (same.points == 0).all()
    narrow = project("shared", few, make_weight(few, 1))
    assert (narrow.points[:, 1] == 0).all()
    write_projections([same, narrow], tmp_path)
    assert imread(tmp_path / "embedding.png").shape[1] > 1000


def test_files_hold_every_token_and_the_same_bytes(tmp_path):
    strange = ["a,b", '"', "$x$", "漢", " ", "\n"]
    vocabulary = Vocabulary.from_counts(dict.fromkeys(strange, 3), min_frequency=1, max_size=None)
    contents = []
    for _ in range(2):
        write_projections([project("shared", vocabulary, make_weight(vocabulary))], tmp_path)
        contents.append([(tmp_path / f"embedding.{end}").read_bytes() for end in ("csv", "png")])
    assert contents[0] == contents[1]
    with (tmp_path / "embedding.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["token"] for row in rows} == set(strange)
    assert {(row["side"], row["count"]) for row in rows} == {("shared", "3")}
    assert "-0.0000" not in contents[0][0].decode()


def test_names_do_not_cover_each_other():
    vocabulary = make_vocabulary(200)
    named = _places(project("x", vocabulary, make_weight(vocabulary)))
    assert 50 < len(named) <= 200
    assert _overlap((0, 0, 2, 2), (1, 1, 3, 3))
    assert not _overlap((0, 0, 1, 1), (1, 0, 2, 1))


def test_similarity_of_positions_takes_any_table(tmp_path):
    for table in (sinusoidal_positions(300, 8), torch.zeros(3, 2), torch.randn(1, 4).half()):
        position_similarity(table, tmp_path / "similarity.png")
        assert imread(tmp_path / "similarity.png").shape[1] > 800
