"""Vectors of another width than the model: a table and a matrix that learn together, saved as their product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stageformer.batching.pairs import Pairs
from stageformer.building.build import build_encoder_model, build_model
from stageformer.building.embeddings import EmbeddingStart, load_embeddings, save_embeddings
from stageformer.building.model_files import load_model, save_model
from stageformer.building.projection import is_product, multiply_out, table_of
from stageformer.errors import StageformerError
from stageformer.model.transformer import Transformer
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.model import Model
from stageformer.params.reading import read_yaml
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder
from stageformer.params.training import Training
from tests.training.loops import run

DEFAULT = read_yaml(Path(__file__).parents[2] / "recipes/default.yaml")
SMALL = {"num_layers": 1, "num_heads": 2, "d_ff": 32}
MODEL = parse(Model, DEFAULT["model"], "model")


def start_of(shared: bool = True, width: int = 5, d_model: int = 16) -> EmbeddingStart:
    generator = torch.Generator().manual_seed(1)
    source, target = (torch.randn(14, width, generator=generator) * width**-0.5 for _ in range(2))
    metadata = {"d_model": d_model, "scale": True, "shared": shared, "positions": "none", "max_length": 16}
    metadata |= {"width": width}
    matrix = torch.randn(width, d_model, generator=generator) * d_model**-0.5
    return EmbeddingStart(source, source if shared else target, torch.zeros(16, d_model), metadata, matrix)


def encoder_model(start: EmbeddingStart, frozen: bool = False) -> Transformer:
    values = {**DEFAULT["train_encoder"], **SMALL, "decoder_num_layers": 1, "freeze_embedding": frozen}
    return build_encoder_model(parse(TrainEncoder, values, "train_encoder"), MODEL, start)


@pytest.mark.parametrize("shared", [True, False])
def test_a_model_begins_with_the_product_and_both_factors_learn(
    shared: bool, copy_corpus: Callable[..., dict[str, Pairs]], training: Callable[..., Training], compute: Compute,
    tmp_path: Path,
) -> None:  # fmt: skip
    start = start_of(shared)
    assert start.projection is not None
    model = encoder_model(start)
    for embedding, table in ((model.encoder.embedding, start.source), (model.decoder.embedding, start.target)):
        assert torch.equal(embedding.weight, table @ start.projection)
    names = {name for name, _ in model.named_parameters() if "embedding" in name}
    assert len(names) == (2 if shared else 4)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    run(model, copy_corpus(60, 20), training(optimizer="muon"), compute)
    assert not [name for name, now in model.named_parameters() if torch.equal(now, before[name])]
    products = model.encoder.embedding.weight.detach().clone(), model.decoder.embedding.weight.detach().clone()
    assert torch.linalg.matrix_rank(products[0]) == 5
    save_model(tmp_path / "encoder.pt", "encoder", model, {})
    loaded, _ = load_model(tmp_path / "encoder.pt", "encoder")
    for saved in (model, loaded):
        assert not is_product(saved.encoder.embedding)
        assert torch.equal(saved.encoder.embedding.weight, products[0])
        assert torch.equal(saved.decoder.embedding.weight, products[1])
        assert (saved.decoder.embedding.weight is saved.encoder.embedding.weight) == shared


def test_the_gradient_is_that_of_the_product() -> None:
    start = start_of()
    model = encoder_model(start)
    ids = torch.tensor([[4, 5, 6]])
    model.eval()
    model.encoder.embedding(ids).square().sum().backward()
    table, matrix = (factor.clone().requires_grad_() for factor in (start.source, start.projection))  # type: ignore[union-attr]
    ((table @ matrix)[ids] * 16**0.5).square().sum().backward()
    assert torch.allclose(table_of(model.encoder.embedding).grad, table.grad, atol=1e-5)  # type: ignore[arg-type]
    assert torch.allclose(model.encoder.embedding.parametrizations.weight[0].matrix.grad, matrix.grad, atol=1e-5)  # type: ignore


def test_a_frozen_table_stays_and_its_projection_learns(
    copy_corpus: Callable[..., dict[str, Pairs]], training: Callable[..., Training], compute: Compute
) -> None:
    start = start_of()
    model = encoder_model(start, frozen=True)
    run(model, copy_corpus(60, 20), training(weight_decay=0.1), compute)
    assert torch.equal(table_of(model.encoder.embedding), start.source)
    assert not torch.equal(model.encoder.embedding.weight, start.source @ start.projection)  # type: ignore[operator]


@pytest.mark.parametrize("target_embedding", ["embed", "train_encoder"])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("trained", "joint"), [(False, True), (True, True), (True, False)])
def test_what_the_decoder_s_stage_begins_with(
    trained: bool, joint: bool, shared: bool, target_embedding: str, tmp_path: Path
) -> None:
    """Jointly, the product goes on where train_encoder trained nothing; what was trained is one matrix."""
    start = start_of(shared)
    first = encoder_model(start)
    multiply_out(first)
    if trained:
        with torch.no_grad():
            for parameter in first.parameters():
                parameter.add_(0.01)
    values = {**DEFAULT["train_decoder"], **SMALL, "target_embedding": target_embedding}
    model = build_model(parse(TrainDecoder, values, "train_decoder"), MODEL, first, start, trains_encoder=joint)
    assert is_product(model.encoder.embedding) == (joint and not trained)
    from_start = (not shared or not joint) and target_embedding == "embed"
    assert is_product(model.decoder.embedding) == ((joint and not trained) or from_start)
    expected = start.target @ start.projection if from_start else first.decoder.embedding.weight  # type: ignore[operator]
    assert torch.allclose(model.decoder.embedding.weight, expected, atol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_the_start_is_saved_with_its_projection(shared: bool, tmp_path: Path) -> None:
    start = start_of(shared)
    save_embeddings(tmp_path, start)
    loaded = load_embeddings(tmp_path)
    for name in ("source", "target", "projection", "positions"):
        assert torch.equal(getattr(loaded, name), getattr(start, name))
    wrong = EmbeddingStart(start.source, start.target, start.positions, start.metadata, torch.zeros(6, 16))
    save_embeddings(tmp_path, wrong)
    with pytest.raises(StageformerError, match=r"projection is \[6, 16\] of torch.float32, needed \[5, 16\]"):
        load_embeddings(tmp_path)
