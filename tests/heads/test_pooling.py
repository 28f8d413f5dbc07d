"""From tokens to sentences and words: as NumPy computes it by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stageformer.heads.pooling import AttentionPooling, make_pooling, word_vectors

LENGTHS = [3, 1, 5]
E = 4


def batch(padding: float) -> tuple[list[np.ndarray], torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(1)
    sentences = [generator.normal(size=(length, E)).astype(np.float32) for length in LENGTHS]
    memory = torch.full((len(LENGTHS), max(LENGTHS) + 1, E), padding)
    present = torch.zeros(memory.shape[:2], dtype=torch.bool)
    for row, sentence in enumerate(sentences):
        memory[row, : len(sentence)], present[row, : len(sentence)] = torch.from_numpy(sentence), True
    return sentences, memory, present


BY_HAND = {
    "mean": lambda vectors: vectors.astype(np.float64).mean(0),
    "max": lambda vectors: vectors.max(0),
    "cls": lambda vectors: vectors[0],
    "attention": lambda vectors: vectors.astype(np.float64).mean(0),  # as it begins
}


@pytest.mark.parametrize("padding", [0.0, float("nan")])
@pytest.mark.parametrize("how", BY_HAND)
def test_each_way_is_numpys(how: str, padding: float) -> None:
    sentences, memory, present = batch(padding)
    found = make_pooling(how, E)(memory, present).detach().numpy()
    np.testing.assert_allclose(found, [BY_HAND[how](one) for one in sentences], rtol=1e-5, atol=1e-6)


def test_learned_weights_are_a_softmax_over_the_tokens_that_are_there() -> None:
    sentences, memory, present = batch(float("nan"))
    pooling = AttentionPooling(E)
    query = np.array([2.0, -1.0, 0.5, 3.0])
    with torch.no_grad():
        pooling.query.copy_(torch.from_numpy(query))
    found = pooling(memory, present).detach().numpy()
    for row, sentence in enumerate(sentences):
        weights = np.exp(sentence.astype(np.float64) @ query / 2)  # the root of E
        np.testing.assert_allclose(found[row], weights @ sentence / weights.sum(), rtol=1e-5)
    pooling(memory, present).sum().backward()
    assert pooling.query.grad is not None
    assert bool(pooling.query.grad.isfinite().all())


@settings(deadline=None)
@given(st.data())
def test_words_are_their_first_token_or_the_mean_of_all(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 8))
    span = st.tuples(st.integers(0, length - 1), st.integers(1, length)).filter(lambda pair: pair[0] < pair[1])
    spans = data.draw(st.lists(span, max_size=5))
    vectors = np.random.default_rng(length).normal(size=(length, E))
    memory = torch.zeros(1, length + 2, E, dtype=torch.float64)
    memory[0, :length] = torch.from_numpy(vectors)
    first, stop = (torch.tensor([[*(span[side] for span in spans), 0]]) for side in (0, 1))  # and one that is none
    of_first, mean = (word_vectors(memory, first, stop, how)[0].numpy() for how in ("first", "mean"))
    for place, (start, end) in enumerate(spans):
        np.testing.assert_allclose(of_first[place], vectors[start])
        np.testing.assert_allclose(mean[place], vectors[start:end].mean(0))
    assert not of_first[-1].any()
    assert not mean[-1].any()
