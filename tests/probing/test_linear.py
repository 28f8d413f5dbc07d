"""Linear probes and the states that they read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.transformer import Encoder
from stageformer.probing.linear import PENALTY, fit


def points(layers: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Examples ``[L, N, D]`` whose class can be told, roughly, from the last layer alone."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(300) % 3
    features = torch.randn(layers, 300, 5, generator=generator) * 3 + 1
    features[-1, :, 0] += 4 * (labels == 0)
    features[-1, :, 1] += 4 * (labels == 1)
    return features, labels


def test_a_probe_is_at_the_minimum_of_penalised_logistic_regression() -> None:
    """By Newton's method, written from the formula, in numpy."""
    features, labels = points(1)
    found = fit(features, labels, 3)
    x = features[0].double().numpy()
    x = np.column_stack([(x - x.mean(0)) / x.std(0), np.ones(len(x))])
    wanted = np.eye(3)[labels.numpy()]
    weights = np.zeros((3, 6))
    ridge = np.diag([PENALTY] * 5 + [1e-9])
    for _ in range(30):
        scores = np.exp(x @ weights.T)
        shares = scores / scores.sum(1, keepdims=True)
        gradient = (shares - wanted).T @ x + weights @ ridge
        blocks = [
            [x.T @ (x * (shares[:, a] * ((a == b) - shares[:, b]))[:, None]) + (a == b) * ridge for b in range(3)]
            for a in range(3)
        ]
        weights -= np.linalg.solve(np.block(blocks), gradient.ravel()).reshape(3, 6)
    np.testing.assert_allclose(found.weight.numpy(), weights[:, :5], atol=2e-3)
    expected = (x @ weights.T).argmax(1) == labels.numpy()
    assert found.accuracy(features, labels) == pytest.approx(expected.mean(), abs=1e-12)
    assert 0.6 < found.accuracy(features, labels) < 0.95


def test_the_mix_finds_the_layer_that_knows() -> None:
    features, labels = points(4)
    found = fit(features, labels, 3)
    assert found.mix.sum() == pytest.approx(1.0)
    assert int(found.mix.argmax()) == 3
    assert found.mix[3] > 0.6
    fresh, of_fresh = points(4, seed=1)
    alone = fit(features[3:], labels, 3).accuracy(fresh[3:], of_fresh)
    assert found.accuracy(fresh, of_fresh) > fit(features[:1], labels, 3).accuracy(fresh[:1], of_fresh) + 0.2
    assert found.accuracy(fresh, of_fresh) == pytest.approx(alone, abs=0.05)


def test_a_feature_that_never_changes_and_a_label_that_never_occurs_do_no_harm() -> None:
    features, labels = points(1)
    features[0, :, 4] = 7.0
    found = fit(features, labels, 5)
    assert found.weight.isfinite().all()
    assert found.accuracy(features, labels) > 0.6


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_states_are_those_of_the_layers_called_one_by_one(norm: str) -> None:
    torch.manual_seed(1)
    encoder = Encoder(EmbeddingConfig(13, 16), StackConfig(16, 3, 4, 24, norm=norm)).eval()
    ids, present = torch.randint(0, 13, (2, 5)), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    with torch.no_grad():
        found = encoder.states(ids, present)
        x = encoder.embedding(ids)
        for number, layer in enumerate(encoder.layers):
            assert torch.equal(found[number], x)
            x = layer(x, present[:, None, None, :])
        assert torch.equal(found[3], encoder.norm(x))
        assert torch.equal(found[3], encoder(ids, present))
