"""Memory that is not as wide as the decoder: learned from, saved, searched with, and exported or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Sentences
from stageformer.building.bridge import Bridge, BridgeConfig, bridge_between
from stageformer.building.model_files import load_model, save_model
from stageformer.building.weights import weights_of
from stageformer.compute.device import make_pool
from stageformer.decoding.beam import beam_search
from stageformer.decoding.greedy import greedy
from stageformer.decoding.incremental import IncrementalDecoder
from stageformer.decoding.rules import Batch, Rules
from stageformer.errors import StageformerError
from stageformer.export.ctranslate2_model import save_ctranslate2
from stageformer.export.expressible import check_transformers
from stageformer.kernels.draws import draw_from
from stageformer.memory.memory import StoredMemory
from stageformer.memory.store import MemoryStore
from stageformer.memory.writer import MemoryWriter
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.dropout import Dropout
from stageformer.model.transformer import Decoder, Transformer, initialise
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.text.vocabulary import Vocabularies, Vocabulary
from stageformer.training.loop import train
from stageformer.training.muon import Muon, matrices_of_layers
from stageformer.training.optimizer import Adam
from stageformer.training.tasks.decode_memory import DecodeMemory

PAD, BOS, EOS, UNK, VOCABULARY, E, D = 0, 1, 2, 3, 14, 8, 32
CPU = torch.device("cpu")
STACK = StackConfig(D, 1, 4, 64, norm="pre")
EMBEDDING = EmbeddingConfig(VOCABULARY, D, max_length=16)


def by_hand(sentences: Sentences) -> tuple[Tensor, Tensor]:
    """What no encoder of ours makes: eight numbers a token, of its id and its place."""
    ids, present = sentences.padded(PAD)
    token, place = ids / VOCABULARY, torch.arange(ids.size(1)).expand_as(ids) / 8
    angles = [token * 6, token * 17, place * 3, place * 8]
    return torch.stack([wave for angle in angles for wave in (angle.sin(), angle.cos())], -1), present


def store_of(pairs: Pairs, folder: Path) -> MemoryStore:
    writer = MemoryWriter(
        folder, pairs.ids, pairs.source.lengths, width=E, dtype="float32", fingerprint="by hand", shard_tokens=300
    )
    for shard in writer.shards():
        shard.put(np.array(shard.rows), *by_hand(pairs.source.part(shard.rows)))
    return MemoryStore(folder)


def decoder_of(width: int) -> Decoder:
    torch.manual_seed(3)
    decoder = Decoder(EMBEDDING, STACK)
    decoder.bridge = bridge_between(width, 1, D, join="concatenate", noise=0.0)
    initialise(decoder)
    return decoder


def test_a_store_of_another_width_is_learned_from_and_translated(
    copy_corpus: Callable[..., dict[str, Pairs]], training: Callable[..., Training], compute: Compute, tmp_path: Path
) -> None:
    splits, decoder = copy_corpus(), decoder_of(E)
    stores = {split: store_of(pairs, tmp_path / split) for split, pairs in splits.items()}
    before = {name: weight.clone() for name, weight in weights_of(decoder.bridge).items()}
    assert [*before] == ["scale", "shift", "linear.weight", "linear.bias"]
    params = training(
        max_updates=500, schedule="linear", warmup_updates=30, validate_every=500, batch_tokens=400, label_smoothing=0.0
    )
    task = DecodeMemory(decoder, splits, {s: [store] for s, store in stores.items()}, Dropout(0.0), CPU, 0.0)
    outcome = train(task, params, compute, lambda *_: None, "toy")
    assert outcome.metrics["valid_loss"] < 0.2
    assert not any(torch.equal(weight, before[name]) for name, weight in weights_of(decoder.bridge).items())
    decoder.eval()
    valid = splits["valid"]
    rules = Rules(BOS, EOS, (PAD, BOS, UNK), max_length_ratio=1.5, max_length_offset=3)
    batch = Batch(*StoredMemory(stores["valid"], valid.ids, CPU).batch(np.arange(len(valid))))
    by_greedy = greedy(decoder, batch, rules)
    by_beam = beam_search(decoder, batch, rules, beam_size=3, length_penalty=0.6)
    for found in (by_greedy, by_beam):
        right = [best.ids == target[1:-1] for (best, *_), target in zip(found, valid.target, strict=True)]
        assert sum(right) >= 0.9 * len(right)


@pytest.mark.parametrize("hypotheses", [1, 3])
def test_decoding_step_by_step_crosses_the_bridge_as_training_does(hypotheses: int) -> None:
    decoder = decoder_of(E).double().eval()
    sources = Sentences.of([[4, 5, 6, EOS], [7, EOS]])
    memory, present = by_hand(sources)
    memory = memory.double()
    targets = torch.tensor([[BOS, 4, 9, 6], [BOS, 5, 7, 11]])
    with torch.inference_mode():
        expected = decoder(targets, memory, present)
        steps = IncrementalDecoder(decoder, memory, present, hypotheses)
        for step in range(4):
            found = steps.step(targets[:, step, None].expand(2, hypotheses))
            torch.testing.assert_close(found, expected[:, step, None].expand_as(found))


def test_memory_as_wide_as_the_decoder_has_no_bridge() -> None:
    assert isinstance(decoder_of(D).bridge, nn.Identity)
    torch.manual_seed(3)
    plain = Decoder(EMBEDDING, STACK)
    initialise(plain)
    same = decoder_of(D)
    assert weights_of(plain).keys() == weights_of(same).keys()
    assert all(torch.equal(weight, weights_of(same)[name]) for name, weight in weights_of(plain).items())


@pytest.fixture
def narrow_encoder() -> Transformer:
    torch.manual_seed(0)
    encoder = StackConfig(8, 1, 2, 16, norm="pre")
    config = TransformerConfig(EmbeddingConfig(VOCABULARY, 8, max_length=16), EMBEDDING, encoder, STACK)
    model = Transformer(config)
    model.decoder.bridge = bridge_between(8, 1, D, join="concatenate", noise=0.0)
    return model


def test_a_model_with_a_bridge_is_saved_and_loaded(narrow_encoder: Transformer, tmp_path: Path) -> None:
    save_model(tmp_path / "model.pt", "model", narrow_encoder, {})
    loaded, _ = load_model(tmp_path / "model.pt")
    assert loaded.decoder.bridge.linear.weight.shape == (D, 8)
    source, target = torch.tensor([[4, 5, EOS]]), torch.tensor([[BOS, 4, 5]])
    assert torch.equal(loaded(source, target), narrow_encoder.eval()(source, target))


@pytest.mark.parametrize("join", ["concatenate", "mix"])
def test_the_bridge_is_layer_norm_join_and_linear_map_of_torch(join: str) -> None:
    torch.manual_seed(5)
    bridge = Bridge(BridgeConfig(width=E, layers=3, d_model=D, join=join)).double().eval()
    with torch.no_grad():
        for weight in bridge.parameters():
            weight.normal_()
    memory = torch.randn(2, 4, 3 * E, dtype=torch.float64) * 7 + 2
    parts = []
    for layer, x in enumerate(memory.split(E, -1)):
        norm = nn.LayerNorm(E, dtype=torch.float64)
        norm.weight.data = bridge.scale.data[layer * E : (layer + 1) * E]
        norm.bias.data = bridge.shift.data[layer * E : (layer + 1) * E]
        parts.append(norm(x))
    if join == "mix":
        assert bridge.mix is not None
        shares = bridge.mix.exp() / bridge.mix.exp().sum()
        joined = sum(share * part for share, part in zip(shares, parts, strict=True))
    else:
        joined = torch.cat(parts, -1)
    expected = joined @ bridge.linear.weight.T + bridge.linear.bias
    torch.testing.assert_close(bridge(memory), expected)


def test_noise_is_drawn_while_training_alone_and_follows_from_the_piece_of_work() -> None:
    torch.manual_seed(6)
    bridge = Bridge(BridgeConfig(width=64, layers=2, d_model=16, noise=0.5))
    with torch.no_grad():
        bridge.linear.weight.copy_(torch.eye(16, 128))
    memory = torch.randn(30, 50, 128)

    def drawn(seed: int) -> Tensor:
        with draw_from(torch.Generator().manual_seed(seed)):
            return bridge(memory)

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    bridge.eval()
    added = (first - bridge(memory)).detach()
    assert torch.equal(bridge(memory), drawn(1))
    assert abs(float(added.mean())) < 0.02
    assert abs(float(added.std()) - 0.5) < 0.02


def test_weight_decay_leaves_the_norms_of_a_bridge_alone_and_muon_takes_its_matrix(
    training: Callable[..., Training], compute: Compute
) -> None:
    bridge = Bridge(BridgeConfig(width=E, layers=2, d_model=D))
    for optimizer in ("adam", "muon"):
        params = training(optimizer=optimizer, weight_decay=0.5)
        made: Muon | Adam = Adam(bridge.parameters(), params)
        if optimizer == "muon":
            made = Muon(bridge, params, make_pool(compute, pieces=1))
        for weight in bridge.parameters():
            weight.grad = torch.zeros_like(weight)
        before = {name: weight.clone() for name, weight in weights_of(bridge).items()}
        made.step(0.1)
        for name, weight in weights_of(bridge).items():
            expected = before[name] * (0.95 if name == "linear.weight" else 1.0)
            torch.testing.assert_close(weight, expected)
    assert [*matrices_of_layers(bridge)] == [bridge.linear.weight]


def test_engines_that_have_no_such_projection_refuse(narrow_encoder: Transformer, tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_counts({f"t{n}": 1 for n in range(10)}, min_frequency=1, max_size=None)
    expected = rf"the memory is 8 wide and the decoder {D}; .* has no projection between them"
    with pytest.raises(StageformerError, match=expected):
        check_transformers(narrow_encoder.config, norm="pre", architecture="Blenderbot")
    pytest.importorskip("ctranslate2")
    vocabularies = Vocabularies(vocabulary, vocabulary, shared=True)
    with pytest.raises(StageformerError, match=expected):
        save_ctranslate2(narrow_encoder, vocabularies, tmp_path / "ct2", quantization=None)
    assert not (tmp_path / "ct2").exists()
