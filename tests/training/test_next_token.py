"""Next-token prediction: what is predicted, from what, and that nothing sees what comes after it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from stageformer.batching.pairs import Pairs
from stageformer.building.model_files import load_model, save_model, weights_fingerprint
from stageformer.errors import StageformerError
from stageformer.export.expressible import check_ctranslate2, check_transformers
from stageformer.figures.traces import attention_weights
from stageformer.kernels.choice import KERNELS, kernels
from stageformer.model.transformer import Encoder, Transformer
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.loop import train
from stageformer.training.tasks.masked import MaskedTokens
from stageformer.training.tasks.next_token import NextToken

PAD, BOS, EOS, UNK, NUM_SPECIAL, VOCABULARY = 0, 1, 2, 3, 4, 14
CPU = torch.device("cpu")

Corpus = Callable[..., dict[str, Pairs]]
MakeModel = Callable[..., Transformer]


@pytest.fixture
def causal(transformer: MakeModel) -> MakeModel:
    """Make a small model whose encoder has a causal mask."""

    def make(causal: bool = True, num_layers: int = 2) -> Transformer:
        base = transformer(num_layers=num_layers)
        config = dataclasses.replace(
            base.config, encoder=dataclasses.replace(base.config.encoder, causal=causal or None)
        )
        torch.manual_seed(5)
        return Transformer(config).eval()

    return make


def task_of(model: Encoder, splits: dict[str, Pairs], pad_id: int = PAD) -> NextToken:
    return NextToken(
        model, splits, bos_id=BOS, pad_id=pad_id, device=CPU, label_smoothing=0.0, characters=500,
        baseline={"ngram_perplexity": 7.0},
    )  # fmt: skip


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("length", [12, 150])  # plain products, and torch's fused attention
def test_a_token_changes_no_state_before_it_to_the_bit(causal: MakeModel, kernel: str, length: int) -> None:
    base = causal()
    config = dataclasses.replace(
        base.config,
        source=dataclasses.replace(base.config.source, max_length=200), share_embeddings=False,
    )  # fmt: skip
    encoder = Transformer(config).encoder.eval()
    ids = torch.randint(NUM_SPECIAL, VOCABULARY, (3, length), generator=torch.Generator().manual_seed(1))
    with kernels(kernel), torch.no_grad():
        before = encoder(ids)
        for place in range(0, length, 1 if length < 20 else 37):
            changed = ids.clone()
            changed[:, place] = (changed[:, place] - NUM_SPECIAL + 1) % (VOCABULARY - NUM_SPECIAL) + NUM_SPECIAL
            after = encoder(changed)
            assert torch.equal(after[:, :place], before[:, :place])
            assert (after[:, place:] != before[:, place:]).any(2).all()


def test_without_the_mask_every_state_sees_every_token(causal: MakeModel) -> None:
    encoder = causal(causal=False).encoder
    ids = torch.full((1, 6), NUM_SPECIAL)
    changed = ids.clone()
    changed[0, 5] += 1
    with torch.no_grad():
        assert (encoder(ids) != encoder(changed)).any(2).all()


def test_loss_equals_the_chain_rule_one_token_at_a_time(copy_corpus: Corpus, causal: MakeModel) -> None:
    splits, model = copy_corpus(30), causal().encoder
    rows = np.array([4, 21, 0, 9, 9])
    expected = 0.0
    with torch.no_grad():
        for row in rows:
            ids = splits["train"].source[int(row)]
            assert ids[-1] == EOS
            for place, wanted in enumerate(ids):
                read = torch.tensor([ids[:place] or [BOS]])
                logits = model(read)[0, -1] @ model.embedding.weight.t()
                expected -= float(logits.log_softmax(-1)[wanted])
    for pad_id in (PAD, 7):
        loss = task_of(model, splits, pad_id).loss("train", rows)
        assert loss.num_targets == splits["train"].source.lengths[rows].sum()
        assert float(loss.sums["nll"]) == pytest.approx(expected, rel=1e-5)


def test_any_number_of_threads_learns_the_same_bits(
    copy_corpus: Corpus, causal: MakeModel, training: Callable[..., Training], make_compute: Callable[..., Compute]
) -> None:
    weights, splits = [], copy_corpus(200, 20)
    for threads in (1, 3):
        model = causal().train()
        task = task_of(model.encoder, splits)
        torch.manual_seed(1)
        outcome = train(
            task, training(max_updates=12), make_compute(threads=threads, micro_batch_tokens=60), lambda *_: None, "toy"
        )
        weights.append(weights_fingerprint(model.encoder))
    assert weights[0] == weights[1]
    assert outcome.metrics["valid_perplexity"] < VOCABULARY


def test_masked_and_next_token_report_the_same_metrics(copy_corpus: Corpus, causal: MakeModel) -> None:
    splits = copy_corpus(30, 20)
    valid = splits["valid"].source
    following = task_of(causal().encoder, splits)
    hidden = MaskedTokens(
        causal(causal=False).encoder, splits, 0.15, PAD, UNK, NUM_SPECIAL, CPU, 1, 0.0, characters=500
    )
    found, of_masked = following.metrics({"nll": 2.0}), hidden.metrics({"nll": 2.0})
    assert found.pop("ngram_perplexity") == 7.0
    assert found.keys() == of_masked.keys() == {"perplexity", "bits_per_character"}
    assert found["perplexity"] == of_masked["perplexity"] == pytest.approx(math.e**2)
    assert found["bits_per_character"] == pytest.approx(2 / math.log(2) * len(valid.flat) / 500)
    without_eos = len(valid.flat) - len(valid)
    assert of_masked["bits_per_character"] == pytest.approx(2 / math.log(2) * without_eos / 500)


def test_the_mask_is_in_the_file_and_only_where_there_is_one(causal: MakeModel, tmp_path: Path) -> None:
    for is_causal in (True, False):
        path = tmp_path / f"{is_causal}.pt"
        save_model(path, "encoder", causal(is_causal), {"objective": "next_token"})
        model, metadata = load_model(path, "encoder")
        assert ("causal" in metadata["config"]["encoder"]) is is_causal
        assert model.config == causal(is_causal).config
        weights = attention_weights(model, [5, 6, 7, EOS], [BOS, 5]).encoder  # [layers, H, S, S]
        assert bool(np.triu(weights, 1).max() == 0.0) is is_causal
    # The same weights make another memory without the mask.
    assert weights_fingerprint(causal().encoder) != weights_fingerprint(causal(causal=False).encoder)


def test_other_engines_refuse_it(causal: MakeModel) -> None:
    for check in (check_ctranslate2, lambda config: check_transformers(config, norm="pre", architecture="Blenderbot")):
        check(causal(causal=False).config)
        with pytest.raises(StageformerError, match=r"the encoder has a causal mask .*out of export.formats"):
            check(causal().config)
