"""The mask conventions, and what they promise: no look ahead, no look at padding, zeros and never NaN."""

import pytest
import torch
from torch import Tensor

from stageformer.model.attention import MultiHeadAttention, causal_mask, padding_mask
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Decoder, Encoder, Transformer

EMBEDDING = EmbeddingConfig(vocabulary_size=20, d_model=16, max_length=32)
LENGTHS = torch.tensor([3, 6, 1])


def stack(norm: str = "post", attention_only: bool = False) -> StackConfig:
    return StackConfig(d_model=16, num_layers=2, num_heads=4, d_ff=32, norm=norm, attention_only=attention_only)


def random_ids(*shape: int) -> Tensor:
    return torch.randint(0, 20, shape, generator=torch.Generator().manual_seed(5))


def test_conventions() -> None:
    present = torch.arange(3) < torch.tensor([[2], [0], [3]])
    assert present.tolist() == [[True, True, False], [False] * 3, [True] * 3]
    assert padding_mask(present).shape == (3, 1, 1, 3)
    assert padding_mask(present)[0, 0, 0].tolist() == [True, True, False]
    assert causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    assert causal_mask(3).dtype == padding_mask(present).dtype == torch.bool


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_later_token_never_changes_an_earlier_output(norm: str) -> None:
    torch.manual_seed(0)
    decoder = Decoder(EMBEDDING, stack(norm)).eval()
    memory, ids = torch.randn(2, 4, 16), random_ids(2, 7)
    before = decoder(ids, memory)
    for changed in range(1, 7):
        other = ids.clone()
        other[:, changed] = (other[:, changed] + 1) % 20
        after = decoder(other, memory)
        assert torch.equal(after[:, :changed], before[:, :changed])
        assert not torch.allclose(after[:, changed], before[:, changed], atol=1e-3)


def test_explicit_causal_mask_equals_the_default() -> None:
    torch.manual_seed(0)
    decoder = Decoder(EMBEDDING, stack()).eval()
    memory, ids = torch.randn(2, 4, 16), random_ids(2, 7)
    torch.testing.assert_close(decoder(ids, memory, tgt_mask=causal_mask(7)), decoder(ids, memory))
    everything = decoder(ids, memory, tgt_mask=torch.ones(7, 7, dtype=torch.bool))
    assert not torch.allclose(everything, decoder(ids, memory), atol=1e-3)


def test_tgt_mask_of_one_step_is_a_single_true() -> None:
    """Decoding one token at a time: the first step has one target position, ``[1, 1]``, each further step one more."""
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(EMBEDDING, EMBEDDING, stack(), stack())).eval()
    source_ids, target_ids = random_ids(2, 4), random_ids(2, 7)
    present = torch.arange(4) < torch.tensor([[4], [2]])
    all_at_once = model(source_ids, target_ids, present)
    for length in range(1, 8):
        tgt_mask = causal_mask(length)
        assert tgt_mask.shape == (length, length)
        step = model(source_ids, target_ids[:, :length], present, tgt_mask)
        torch.testing.assert_close(step, all_at_once[:, :length])


@pytest.mark.parametrize("attention_only", [False, True])
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_encoder_padding_changes_nothing(norm: str, attention_only: bool) -> None:
    torch.manual_seed(0)
    encoder = Encoder(EMBEDDING, stack(norm, attention_only)).eval()
    ids = random_ids(3, 6)
    present = torch.arange(6) < LENGTHS[:, None]
    memory = encoder(ids, present)
    wider = torch.cat([torch.where(present, ids, 19), random_ids(3, 5)], 1)
    memory_wider = encoder(wider, torch.arange(11) < LENGTHS[:, None])
    torch.testing.assert_close(memory_wider[:, :6][present], memory[present], atol=1e-6, rtol=1e-5)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(encoder(ids[row : row + 1, :length])[0], memory[row, :length], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(encoder(ids)[present], memory[present], atol=1e-3)  # the mask does something


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_decoder_padding_changes_nothing(norm: str) -> None:
    torch.manual_seed(0)
    decoder = Decoder(EMBEDDING, stack(norm)).eval()
    memory, ids = torch.randn(3, 6, 16), random_ids(3, 5)
    hidden = decoder(ids, memory, torch.arange(6) < LENGTHS[:, None])
    wider = torch.where((torch.arange(6) < LENGTHS[:, None])[..., None], memory, torch.tensor(3.0))
    wider = torch.cat([wider, torch.randn(3, 4, 16)], 1)
    longer = torch.cat([ids, random_ids(3, 2)], 1)
    hidden_wider = decoder(longer, wider, torch.arange(10) < LENGTHS[:, None])
    torch.testing.assert_close(hidden_wider[:, :5], hidden, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(decoder(ids, memory), hidden, atol=1e-3)


def test_fully_padded_row_gives_zeros_and_finite_gradients() -> None:
    torch.manual_seed(0)
    attention = MultiHeadAttention(16, 4)
    x = torch.randn(2, 5, 16, requires_grad=True)
    mask = padding_mask(torch.arange(5) < torch.tensor([[5], [0]]))
    output = attention(x, x, mask)
    torch.testing.assert_close(output[1], attention.out_projection.bias.expand(5, 16))  # heads of zeros
    trace = attention.trace(x, x, mask)
    assert torch.equal(trace.heads[1], torch.zeros(4, 5, 4))
    assert torch.equal(trace.weights[1], torch.zeros(4, 5, 5))
    torch.testing.assert_close(trace.output, output.detach())
    output.square().sum().backward()
    for gradient in (x.grad, attention.in_projection.weight.grad, attention.out_projection.weight.grad):
        assert gradient is not None
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_fully_padded_sentence_in_a_whole_model(norm: str) -> None:
    torch.manual_seed(0)
    encoder, decoder = Encoder(EMBEDDING, stack(norm)), Decoder(EMBEDDING, stack(norm))
    present = torch.arange(4) < torch.tensor([[4], [0]])
    hidden = decoder(random_ids(2, 3), encoder(random_ids(2, 4), present), present)
    assert hidden.isfinite().all()
    hidden[:, :, 0].square().sum().backward()
    for name, parameter in [*encoder.named_parameters(), *decoder.named_parameters()]:
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all(), name
