"""The baseline is the same model as ours: as many parameters, the same loss and gradient with the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from benchmarks.configurations import CONFIGURATIONS, parameters
from benchmarks.corpus import load
from benchmarks.ours import Ours
from benchmarks.plain import PAD, PlainTransformer, sentences, smoothed_loss
from stageformer.export.torch_layers import to_torch_stack
from stageformer.model.transformer import Transformer


def with_our_weights(ours: Transformer, name: str) -> PlainTransformer:
    plain = PlainTransformer(CONFIGURATIONS[name], ours.encoder.embedding.weight.size(0))
    for theirs, stack in ((plain.transformer.encoder, ours.encoder), (plain.transformer.decoder, ours.decoder)):
        theirs.load_state_dict(to_torch_stack(stack).state_dict())
    plain.embedding.load_state_dict({"weight": ours.encoder.embedding.weight})
    for module in plain.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return plain


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_plain_model_is_ours(name: str, data: Path) -> None:
    corpus = load(data)
    task, _ = Ours(parameters(CONFIGURATIONS[name], {"compute.threads": 1}), corpus, data).joint()
    # In float64: a ReLU whose input is near zero may open in one and stay shut in the other by rounding alone.
    ours = task.model.eval().double()
    assert isinstance(ours, Transformer)
    plain = with_our_weights(ours, name).double()
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in ours.parameters())

    rows = next(corpus.batches(200))
    loss = task.loss("train", rows)
    mean = loss.total / loss.num_targets
    pairs = corpus.splits["train"]
    source, target = (
        pad_sequence([sentences(side)[row] for row in rows], batch_first=True, padding_value=PAD)
        for side in (pairs.source, pairs.target)
    )
    assert (source == PAD).any()
    assert (target == PAD).any()
    expected = smoothed_loss(plain(source, target[:, :-1]), target[:, 1:])
    torch.testing.assert_close(mean, expected, atol=1e-6, rtol=1e-6)

    mean.backward()
    expected.backward()
    torch.testing.assert_close(
        ours.encoder.embedding.weight.grad, plain.embedding.weight.grad, atol=1e-6, rtol=1e-6
    )
