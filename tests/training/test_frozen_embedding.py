"""``freeze_embedding``: no row of the embedding moves by a bit, and everything else learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stageformer.batching.pairs import Pairs
from stageformer.building.build import build_encoder_model, build_model
from stageformer.building.embeddings import EmbeddingStart
from stageformer.model.transformer import Transformer
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.groups import check
from stageformer.params.model import Model
from stageformer.params.reading import read_yaml
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder
from stageformer.params.training import Training
from tests.training.loops import run

DEFAULT = read_yaml(Path(__file__).parents[2] / "recipes/default.yaml")
SMALL = {"num_layers": 1, "num_heads": 2, "d_ff": 32}
MODEL = parse(Model, DEFAULT["model"], "model")


def start_of(rows: int = 14, width: int = 16) -> EmbeddingStart:
    matrix = torch.randn(rows, width, generator=torch.Generator().manual_seed(1)) * width**-0.5
    metadata = {"d_model": width, "scale": True, "shared": True, "positions": "learned", "max_length": 16}
    return EmbeddingStart(matrix, matrix, torch.randn(16, width) * width**-0.5, metadata)


def encoder_model(frozen: bool) -> Transformer:
    values = {**DEFAULT["train_encoder"], **SMALL, "decoder_num_layers": 1, "freeze_embedding": frozen}
    return build_encoder_model(parse(TrainEncoder, values, "train_encoder"), MODEL, start_of())


def decoder_model(frozen: bool, tied: bool, trains_encoder: bool) -> Transformer:
    values = {**DEFAULT["train_decoder"], **SMALL, "freeze_embedding": frozen, "tie_output": tied}
    params = parse(TrainDecoder, values, "train_decoder")
    return build_model(params, MODEL, encoder_model(False), start_of(), trains_encoder=trains_encoder)


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
@pytest.mark.parametrize("keep", ["last", "average"])
@pytest.mark.parametrize(
    "make",
    [
        encoder_model,
        lambda frozen: decoder_model(frozen, True, True),
        lambda frozen: decoder_model(frozen, False, True),
        lambda frozen: decoder_model(frozen, True, False),
    ],
    ids=["encoder", "tied", "untied", "two matrices"],
)
def test_no_row_moves_by_a_bit(
    make: Callable[[bool], Transformer], keep: str, optimizer: str,
    copy_corpus: Callable[..., dict[str, Pairs]], training: Callable[..., Training], compute: Compute,
) -> None:  # fmt: skip
    how = training(optimizer=optimizer, keep=keep, average_checkpoints=2, weight_decay=0.1)
    moved = {}
    for frozen in (True, False):
        model = make(frozen)
        before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        run(model, copy_corpus(60, 20), how, compute)
        moved[frozen] = {name for name, now in model.named_parameters() if not torch.equal(now, before[name])}
    kept = {"encoder.embedding.weight", "decoder.embedding.weight"}
    assert not moved[True] & kept
    assert moved[True] == moved[False] - kept  # the positions that are learned, among them
    assert moved[False] & kept


def test_check_says_what_it_means_for_a_tied_output() -> None:
    values = {**DEFAULT, "train_decoder": {**DEFAULT["train_decoder"], "freeze_embedding": True}}
    assert "the output projection is the target embedding, and does not learn" in (check(values).limits() or "")
    values["train_decoder"]["tie_output"] = False
    assert check(values).limits() is None
