"""The tasks: what is predicted, from what, and that padding plays no part."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stageformer.batching.pairs import Pairs
from stageformer.kernels.draws import draw_from
from stageformer.memory.store import MemoryStore
from stageformer.memory.writer import MemoryWriter
from stageformer.model.dropout import Dropout
from stageformer.model.transformer import Encoder, Transformer
from stageformer.training.tasks.decode_memory import DecodeMemory
from stageformer.training.tasks.masked import MaskedTokens
from stageformer.training.tasks.translation import TranslationTask

PAD, UNK, NUM_SPECIAL, VOCABULARY = 0, 3, 4, 14
CPU = torch.device("cpu")

Corpus = Callable[..., dict[str, Pairs]]
MakeModel = Callable[..., Transformer]


def one_by_one(model: Transformer, pairs: Pairs, rows: np.ndarray) -> Tensor:
    """The negative log-likelihood of the targets, one sentence at a time, without any padding or mask."""
    total = torch.zeros(())
    for row in rows:
        source, _ = pairs.source.take(np.array([row])).padded(PAD)
        target, _ = pairs.target.take(np.array([row])).padded(PAD)
        logits = model.decoder.logits(model(source, target[:, :-1]))
        total += torch.nn.functional.cross_entropy(logits[0], target[0, 1:], reduction="sum")
    return total


@pytest.mark.parametrize("pad_id", [PAD, 5])
def test_translation_equals_one_sentence_at_a_time(copy_corpus: Corpus, transformer: MakeModel, pad_id: int) -> None:
    splits, model = copy_corpus(20), transformer()
    rows = np.array([3, 17, 0, 8])
    task = TranslationTask(model, splits, pad_id, CPU, label_smoothing=0.0)
    loss = task.loss("train", rows)
    expected = one_by_one(model, splits["train"], rows).detach()
    torch.testing.assert_close(loss.sums["nll"], expected, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(loss.total.detach(), loss.sums["nll"])
    assert loss.num_targets == sum(task.lengths("train")[1][rows])


def store_of(encoder: Encoder, pairs: Pairs, folder: Path) -> MemoryStore:
    writer = MemoryWriter(
        folder, pairs.ids, pairs.source.lengths, width=16, dtype="float32", fingerprint="f", shard_tokens=50
    )
    for shard in writer.shards():
        rows = np.array(shard.rows)
        with torch.no_grad():
            ids, present = pairs.source.take(rows).padded(PAD)
            shard.put(rows, encoder(ids, present), present)
    return MemoryStore(folder)


def test_decoding_saved_memory_equals_translation_with_a_frozen_encoder(
    copy_corpus: Corpus, transformer: MakeModel, tmp_path: Path
) -> None:
    splits, model = copy_corpus(40), transformer()
    memories = {split: [store_of(model.encoder.eval(), pairs, tmp_path / split)] for split, pairs in splits.items()}
    model.encoder.requires_grad_(False)
    saved = DecodeMemory(model.decoder, splits, memories, Dropout(0.0), CPU, label_smoothing=0.1)
    joint = TranslationTask(model, splits, PAD, CPU, label_smoothing=0.1)
    rows = np.array([31, 2, 17, 5, 5])
    gradients = []
    for task in (saved, joint):
        model.zero_grad()
        loss = task.loss("train", rows)
        loss.total.backward()
        # The shared embedding is frozen with the encoder; all else of the decoder learns.
        gradients.append([loss.total.detach(), *(p.grad for p in model.decoder.layers.parameters())])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-5)
    assert all(np.array_equal(*both) for both in zip(saved.lengths("valid"), joint.lengths("valid"), strict=True))
    assert np.array_equal(saved.ids("valid"), splits["valid"].ids)


def test_memory_dropout_acts_in_training_alone(copy_corpus: Corpus, transformer: MakeModel, tmp_path: Path) -> None:
    splits, model = copy_corpus(20), transformer()
    memories = {"train": [store_of(model.encoder.eval(), splits["train"], tmp_path)]}
    task = DecodeMemory(model.decoder, splits, memories, Dropout(0.5), CPU, label_smoothing=0.0)
    rows = np.arange(5)
    assert task.loss("train", rows).total != task.loss("train", rows).total
    model.decoder.eval()
    without = DecodeMemory(model.decoder, splits, memories, Dropout(0.0), CPU, label_smoothing=0.0)
    assert torch.equal(task.loss("train", rows).total, without.loss("train", rows).total)


def masked(
    model: Encoder, splits: dict[str, Pairs], fraction: float, pad_id: int = PAD, label_smoothing: float = 0.0
) -> MaskedTokens:
    return MaskedTokens(model, splits, fraction, pad_id, UNK, NUM_SPECIAL, CPU, 1, label_smoothing, characters=99)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """What an encoder is called with: ids and presence, call by call."""
    calls: list[tuple[Tensor, Tensor]] = []
    forward = Encoder.forward

    def spy(self: Encoder, ids: Tensor, present: Tensor) -> Tensor:
        calls.append((ids, present))
        return forward(self, ids, present)

    monkeypatch.setattr(Encoder, "forward", spy)
    return calls


@pytest.mark.parametrize("fraction", [0.15, 0.5])
def test_masked_share_and_what_replaces(
    copy_corpus: Corpus, transformer: MakeModel, seen: list[tuple[Tensor, Tensor]], fraction: float
) -> None:
    splits, model = copy_corpus(4000), transformer().encoder.train()
    pairs = splits["train"]
    torch.manual_seed(0)
    loss = masked(model, splits, fraction).loss("train", np.arange(4000))
    ids, present = pairs.source.take(np.arange(4000)).padded(PAD)
    tokens = int((ids >= NUM_SPECIAL).sum())
    assert loss.num_targets / tokens == pytest.approx(fraction, abs=4 * (fraction * (1 - fraction) / tokens) ** 0.5)
    (shown, shown_present), = seen
    assert torch.equal(shown_present, present)
    special = ids < NUM_SPECIAL
    assert special[present].any()
    assert torch.equal(shown[special], ids[special])  # <eos> and padding are never hidden or replaced
    unknown = int((shown == UNK).sum())
    changed = int((shown != ids).sum()) - unknown
    assert unknown / loss.num_targets == pytest.approx(0.8, abs=0.04)
    # A random token is the right one by chance in 1 of 10 (vocabulary without the special tokens).
    assert changed / loss.num_targets == pytest.approx(0.1 * 0.9, abs=0.03)
    replaced = shown[(shown != ids) & (shown != UNK)]
    assert replaced.min() >= NUM_SPECIAL
    assert set(replaced.tolist()) == set(range(NUM_SPECIAL, VOCABULARY))


def test_masked_loss_is_of_the_hidden_tokens_and_blind_to_padding(copy_corpus: Corpus, transformer: MakeModel) -> None:
    splits, model = copy_corpus(20), transformer().encoder.eval()
    rows = np.arange(8)
    losses = [masked(model, splits, 0.4, pad_id, 0.1).loss("train", rows) for pad_id in (PAD, 7)]
    torch.testing.assert_close(losses[0].total, losses[1].total)
    assert losses[0].num_targets == losses[1].num_targets < splits["train"].source.lengths[rows].sum()


def test_masked_loss_of_everything(copy_corpus: Corpus, transformer: MakeModel) -> None:
    splits, model = copy_corpus(20), transformer().encoder.eval()
    rows = np.arange(8)
    ids, _ = splits["train"].source.take(rows).padded(PAD)
    assert masked(model, splits, 1.0).loss("train", rows).num_targets == (ids >= NUM_SPECIAL).sum()
    assert masked(model, splits, 0.0).loss("train", rows).num_targets == 1  # never none


def test_masked_validation_hides_the_same_and_leaves_the_random_stream(
    copy_corpus: Corpus, transformer: MakeModel
) -> None:
    splits, model = copy_corpus(20), transformer().encoder.eval()
    task, rows = masked(model, splits, 0.3, label_smoothing=0.1), np.arange(10)
    state = torch.get_rng_state()
    first = task.loss("train", rows).total
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(task.loss("train", rows).total, first)
    model.train()
    assert not torch.equal(task.loss("train", rows).total, task.loss("train", rows).total)


def test_each_batch_draws_one_of_the_encodings(copy_corpus: Corpus, transformer: MakeModel, tmp_path: Path) -> None:
    splits, models = copy_corpus(20), [transformer(seed=seed) for seed in range(3)]
    stores = [store_of(model.encoder.eval(), splits["train"], tmp_path / str(n)) for n, model in enumerate(models)]
    decoder, rows = models[0].decoder, np.arange(20)

    def loss(memories: list[MemoryStore], seed: int) -> float:
        task = DecodeMemory(decoder, splits, {"train": memories}, Dropout(0.0), CPU, label_smoothing=0.0)
        with draw_from(torch.Generator().manual_seed(seed)):
            return float(task.loss("train", rows).total.detach())

    alone = [loss([store], 0) for store in stores]
    drawn = [loss(stores, seed) for seed in range(60)]
    assert set(drawn) == set(alone)
    assert all(10 <= drawn.count(value) <= 32 for value in alone)
    assert drawn == [loss(stores, seed) for seed in range(60)]


def test_smoothing_is_the_tasks_own_and_the_perplexity_is_without_it(
    copy_corpus: Corpus, transformer: MakeModel
) -> None:
    splits, model, rows = copy_corpus(20), transformer(), np.arange(10)
    tasks = [TranslationTask(model, splits, PAD, CPU, smoothing) for smoothing in (0.0, 0.3)]
    sharp, smooth = (task.loss("train", rows) for task in tasks)
    assert not torch.equal(sharp.total, smooth.total)
    assert torch.equal(sharp.sums["nll"], smooth.sums["nll"])
    mean = float(smooth.sums["nll"]) / smooth.num_targets
    task = TranslationTask(model, splits, PAD, CPU, 0.3)
    assert task.metrics({"nll": mean}) == {"perplexity": pytest.approx(np.exp(mean))}
