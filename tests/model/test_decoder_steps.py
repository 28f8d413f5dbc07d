"""Decoding step by step equals decoding all positions at once."""

import pytest
import torch

from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.decoder import Decoder

B, S, T, D = 3, 5, 6, 16
PRESENT = torch.arange(S) < torch.tensor([[5], [2], [3]])


def make(norm: str = "post", positions: str = "sinusoidal", attention_only: bool = False) -> Decoder:
    torch.manual_seed(0)
    embedding = EmbeddingConfig(vocabulary_size=13, d_model=D, positions=positions, max_length=T)
    return Decoder(embedding, StackConfig(D, 2, 4, 24, norm=norm, attention_only=attention_only)).eval()


@pytest.mark.parametrize("attention_only", [False, True])
@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "none"])
@pytest.mark.parametrize("hypotheses", [1, 3])
@torch.no_grad()
def test_steps_equal_forward(norm: str, positions: str, attention_only: bool, hypotheses: int) -> None:
    decoder = make(norm, positions, attention_only)
    memory = torch.randn(B, S, D)
    ids = torch.randint(0, 13, (B * hypotheses, T))
    expected = decoder(
        ids, memory.repeat_interleave(hypotheses, 0), PRESENT.repeat_interleave(hypotheses, 0)
    )
    cache = decoder.start(memory, PRESENT, max_length=T, hypotheses=hypotheses)
    for position in range(T):
        hidden = decoder.step(ids[:, position], cache)
        assert hidden.shape == (B * hypotheses, D)
        torch.testing.assert_close(hidden, expected[:, position], atol=1e-5, rtol=1e-5)
    assert cache.length == T


@torch.no_grad()
def test_select_hypotheses_takes_their_past_along() -> None:
    decoder = make()
    memory = torch.randn(B, S, D)
    ids = torch.randint(0, 13, (B * 2, T))
    cache = decoder.start(memory, PRESENT, T, hypotheses=2)
    for position in range(3):
        decoder.step(ids[:, position], cache)
    rows = torch.tensor([1, 1, 3, 2, 4, 4])  # within each sentence, as a beam reorders
    cache.select_hypotheses(rows)
    hidden = decoder.step(ids[:, 3], cache)
    prefix = torch.cat([ids[rows, :3], ids[:, 3:4]], 1)
    expected = decoder(prefix, memory.repeat_interleave(2, 0), PRESENT.repeat_interleave(2, 0))
    torch.testing.assert_close(hidden, expected[:, 3], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("padded", [True, False])
@torch.no_grad()
def test_select_sentences_lets_finished_ones_leave(padded: bool) -> None:
    decoder = make()
    memory, present = torch.randn(B, S, D), PRESENT if padded else None
    ids = torch.randint(0, 13, (B * 2, T))
    cache = decoder.start(memory, present, T, hypotheses=2)
    for position in range(2):
        decoder.step(ids[:, position], cache)
    sentences, rows = torch.tensor([2, 0]), torch.tensor([4, 5, 0, 1])
    cache.select_sentences(sentences)
    cache.select_hypotheses(rows)
    hidden = decoder.step(ids[rows, 2], cache)
    kept = sentences.repeat_interleave(2)
    expected = decoder(ids[rows, :3], memory[kept], None if present is None else present[kept])
    torch.testing.assert_close(hidden, expected[:, 2], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_unwritten_places_of_the_cache_are_never_read() -> None:
    decoder = make()
    cache = decoder.start(torch.randn(B, S, D), PRESENT, T)
    for layer in cache.layers:
        layer.key.fill_(float("nan"))
        layer.value.fill_(float("nan"))
    for position in range(T):
        assert decoder.step(torch.full((B,), position), cache).isfinite().all()


def test_project_is_the_product_with_the_output_weight() -> None:
    decoder = make()
    hidden = torch.randn(B, T, D)
    torch.testing.assert_close(decoder.project(hidden), hidden @ decoder.embedding.weight.t())
    untied = Decoder(decoder.embedding.config, StackConfig(D, 1, 4, 24), tie_output=False)
    assert untied.output_weight is not untied.embedding.weight
    torch.testing.assert_close(untied.project(hidden), hidden @ untied.output_weight.t())
