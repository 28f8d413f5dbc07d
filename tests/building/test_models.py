"""Models read from files: whatever is wrong with the file is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.building.model_files import load_model, save_model
from stageformer.errors import StageformerError
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    side, stack = EmbeddingConfig(11, 8, max_length=16), StackConfig(8, 1, 2, 16, norm="pre")
    save_model(tmp_path / "model.pt", "model", Transformer(TransformerConfig(side, side, stack, stack)), {"x": 1})
    return tmp_path / "model.pt"


def test_what_was_saved_is_loaded(path: Path) -> None:
    model, metadata = load_model(path)
    assert not model.training
    assert metadata["x"] == 1
    found = read_tensors(path).tensors
    assert all(torch.equal(found[name], parameter) for name, parameter in model.named_parameters())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite(path: Path, bad: float) -> None:
    file = read_tensors(path)
    weight = file.tensors["decoder.embedding.weight"].clone()
    weight[3, 3] = bad
    write_tensors(path, "model", {**file.tensors, "decoder.embedding.weight": weight}, file.metadata)
    message = r"model\.pt: the tensor decoder\.embedding\.weight holds numbers that are not finite .*train_decoder"
    with pytest.raises(StageformerError, match=message):
        load_model(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("encoder", "num_heads"), 0),
        (("encoder", "num_heads"), 3),
        (("encoder", "num_heads"), "two"),
        (("encoder", "num_layers"), 10**6),
        (("decoder", "d_model"), 10**12),
        (("source", "vocabulary_size"), 10**12),
        (("target", "max_length"), 10**13),
        (("decoder", "d_ff"), 17),
        (("decoder", "norm"), "other"),
        (("decoder",), None),
        (("encoder", "unknown"), 1),
    ],
)
def test_a_configuration_that_does_not_fit_the_weights(path: Path, place: tuple[str, ...], value: Any) -> None:
    file = read_tensors(path)
    where = file.metadata["config"]
    for key in place[:-1]:
        where = where[key]
    where[place[-1]] = value
    write_tensors(path, "model", file.tensors, file.metadata)
    with pytest.raises(StageformerError, match=r"model\.pt: the weights do not fit the configuration .*train_decoder"):
        load_model(path)


@pytest.mark.parametrize("key", ["config", "encoder_fingerprint"])
def test_metadata_that_is_missing(path: Path, key: str) -> None:
    file = read_tensors(path)
    write_tensors(path, "model", file.tensors, {k: v for k, v in file.metadata.items() if k != key})
    with pytest.raises(StageformerError, match=rf"model\.pt: .*'{key}'.*dvc repro --force train_decoder"):
        load_model(path)
