"""Decoding step by step equals decoding all positions at once."""

import pytest
import torch

from stageformer.decoding.incremental import BLOCK, IncrementalDecoder
from stageformer.decoding.language_model import LanguageModel
from stageformer.kernels.choice import KERNELS, kernels
from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.transformer import Decoder, Encoder

B, S, T, D = 3, 5, BLOCK + 3, 16
PRESENT = torch.arange(S) < torch.tensor([[5], [2], [3]])
EVERYWHERE = torch.ones(B, S, dtype=torch.bool)


def make(
    norm: str = "post", positions: str = "sinusoidal", attention_only: bool = False, d_k: int | None = None,
    d_v: int | None = None,
) -> Decoder:
    torch.manual_seed(0)
    embedding = EmbeddingConfig(vocabulary_size=13, d_model=D, positions=positions, max_length=T)
    stack = StackConfig(D, 2, 4, 24, norm=norm, attention_only=attention_only, d_k=d_k, d_v=d_v)
    return Decoder(embedding, stack).eval()


def all_at_once(decoder: Decoder, ids: torch.Tensor, memory: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """The hidden states ``[B, K, T, D]`` of ``ids [B, K, T]``."""
    hypotheses = ids.size(1)
    memory, present = (tensor.repeat_interleave(hypotheses, 0) for tensor in (memory, present))
    hidden = decoder(ids.flatten(0, 1), memory, present)
    return hidden.unflatten(0, (-1, hypotheses))


@pytest.mark.parametrize(("attention_only", "d_k", "d_v"), [(False, None, None), (True, None, None), (False, 3, 5)])
@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "none"])
@pytest.mark.parametrize("hypotheses", [1, 3])
@pytest.mark.parametrize("formulation", KERNELS)
@torch.no_grad()
def test_steps_equal_forward(
    norm: str, positions: str, attention_only: bool, d_k: int | None, d_v: int | None, hypotheses: int, formulation: str
) -> None:
    decoder = make(norm, positions, attention_only, d_k, d_v)
    memory = torch.randn(B, S, D)
    ids = torch.randint(0, 13, (B, hypotheses, T))
    expected = all_at_once(decoder, ids, memory, PRESENT)
    steps = IncrementalDecoder(decoder, memory, PRESENT, hypotheses)
    for position in range(T):
        with kernels(formulation):
            hidden = steps.step(ids[:, :, position])
        assert hidden.shape == (B, hypotheses, D)
        torch.testing.assert_close(hidden, expected[:, :, position], atol=1e-5, rtol=1e-5)
    assert steps.length == T


@torch.no_grad()
def test_a_reordered_hypothesis_has_the_past_of_its_parent() -> None:
    """As a beam does: at every step each hypothesis continues from any of its sentence."""
    decoder = make()
    memory = torch.randn(B, S, D)
    steps = IncrementalDecoder(decoder, memory, PRESENT, hypotheses=3)
    past = torch.empty(B, 3, 0, dtype=torch.long)
    for _ in range(T):
        newest = torch.randint(0, 13, (B, 3))
        past = torch.cat([past, newest[:, :, None]], 2)
        hidden = steps.step(newest)
        torch.testing.assert_close(hidden, all_at_once(decoder, past, memory, PRESENT)[:, :, -1], atol=1e-5, rtol=1e-5)
        parents = torch.randint(0, 3, (B, 3))
        steps.reorder(parents)
        past = past.gather(1, parents[:, :, None].expand_as(past))
    assert len({tuple(row) for row in past.flatten(0, 1).tolist()}) < 3 * B, "some have died out"


@pytest.mark.parametrize("hypotheses", [1, 2])
@pytest.mark.parametrize("present", [PRESENT, EVERYWHERE], ids=["padded", "full"])
@torch.no_grad()
def test_select_sentences_lets_finished_ones_leave(present: torch.Tensor, hypotheses: int) -> None:
    decoder = make()
    memory = torch.randn(B, S, D)
    ids = torch.randint(0, 13, (B, hypotheses, T))
    steps = IncrementalDecoder(decoder, memory, present, hypotheses)
    for position in range(2):
        steps.step(ids[:, :, position])
    kept = torch.tensor([2, 0])
    steps.select_sentences(kept)
    expected = all_at_once(decoder, ids[kept], memory[kept], present[kept])
    for position in range(2, T):
        hidden = steps.step(ids[kept, :, position])
        torch.testing.assert_close(hidden, expected[:, :, position], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_source_of_padding_alone_gives_no_nan() -> None:
    """As the mask convention has it: a row that may attend to nothing gives zeros."""
    decoder = make()
    memory, present = torch.randn(2, S, D), torch.tensor([[True] * S, [False] * S])
    ids = torch.tensor([[[4, 5]], [[4, 5]]])
    steps = IncrementalDecoder(decoder, memory, present)
    expected = all_at_once(decoder, ids, memory, present)
    for position in range(2):
        torch.testing.assert_close(steps.step(ids[:, :, position]), expected[:, :, position], atol=1e-5, rtol=1e-5)


def test_project_is_the_product_with_the_output_weight() -> None:
    decoder = make()
    hidden = torch.randn(B, T, D)
    torch.testing.assert_close(decoder.logits(hidden), hidden @ decoder.embedding.weight.t())
    untied = Decoder(decoder.embedding.config, StackConfig(D, 1, 4, 24), tie_output=False)
    assert untied.output_weight is not untied.embedding.weight
    torch.testing.assert_close(untied.logits(hidden), hidden @ untied.output_weight.t())


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("hypotheses", [1, 3])
@pytest.mark.parametrize("formulation", KERNELS)
@torch.no_grad()
def test_steps_of_a_language_model_equal_its_encoder_without_bos(norm: str, hypotheses: int, formulation: str) -> None:
    torch.manual_seed(0)
    stack = StackConfig(D, 2, 4, 24, norm=norm, causal=True)
    encoder = Encoder(EmbeddingConfig(vocabulary_size=13, d_model=D, max_length=T), stack).eval()
    steps = IncrementalDecoder(LanguageModel(encoder), torch.zeros(B, 1, D), torch.ones(B, 1).bool(), hypotheses)
    past = torch.empty(B, hypotheses, 0, dtype=torch.long)
    bos = torch.ones(B, hypotheses, dtype=torch.long)
    with kernels(formulation):
        torch.testing.assert_close(steps.step(bos), encoder(bos.flatten()[:, None]).view(B, hypotheses, D))
        for _ in range(T):
            parents = torch.randint(0, hypotheses, (B, hypotheses))
            steps.reorder(parents)
            newest = torch.randint(0, 13, (B, hypotheses))
            past = torch.cat([past.gather(1, parents[:, :, None].expand_as(past)), newest[:, :, None]], 2)
            hidden = steps.step(newest)
            torch.testing.assert_close(hidden.flatten(0, 1), encoder(past.flatten(0, 1))[:, -1], atol=1e-5, rtol=1e-5)
        kept = torch.tensor([2, 0])
        steps = IncrementalDecoder(LanguageModel(encoder), torch.zeros(B, 1, D), torch.ones(B, 1).bool(), hypotheses)
        steps.step(bos)
        steps.select_sentences(kept)
        ids = past[kept]
        for place in range(3):
            hidden = steps.step(ids[:, :, place])
            expected = encoder(ids[:, :, : place + 1].flatten(0, 1))[:, -1]
            torch.testing.assert_close(hidden.flatten(0, 1), expected, atol=1e-5, rtol=1e-5)
