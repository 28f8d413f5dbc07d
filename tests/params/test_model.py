"""The size of the model: said once, overridden by a stage, and read from files of earlier versions."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.experiments.contents import read_parameters
from stageformer.experiments.experiment import Experiment
from stageformer.params.differences import compare
from stageformer.params.earlier import moved
from stageformer.params.groups import check
from stageformer.params.model import Model, Stack
from stageformer.params.reading import read_yaml
from stageformer.params.recipes import load_recipe, use

ROOT = Path(__file__).parents[2]
SHARED = {
    "num_layers": 4, "num_heads": 4, "d_ff": 256, "activation": "relu", "norm": "pre", "attention_only": False,
    "residual_dropout": 0.1, "embedding_dropout": 0.1, "attention_dropout": 0.0,
}  # fmt: skip
"""What the default recipe said in ``train_encoder`` before, and in ``train_decoder`` with two layers."""


@pytest.fixture
def default() -> dict[str, Any]:
    return copy.deepcopy(read_yaml(ROOT / "recipes/default.yaml"))  # type: ignore[return-value]


def earlier(values: dict[str, Any]) -> dict[str, Any]:
    """The default parameters as they were before there was a group ``model``."""
    old = {key: group for key, group in values.items() if key != "model"}
    for stage, layers in (("train_encoder", 4), ("train_decoder", 2)):
        rest = {key: value for key, value in old[stage].items() if key not in Model.model_fields}
        old[stage] = SHARED | {"num_layers": layers} | rest
    return old


def test_both_groups_have_the_same_parameters() -> None:
    assert list(Model.model_fields) == list(Stack.model_fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_layers", 1), ("num_heads", 8), ("d_ff", 7), ("activation", "gelu"), ("norm", "post"),
     ("attention_only", True), ("d_k", 16), ("d_v", 64),
     ("residual_dropout", 0.0), ("embedding_dropout", 0.5), ("attention_dropout", 0.3)],
)  # fmt: skip
def test_a_stage_has_the_value_of_model_unless_it_has_its_own(default: dict[str, Any], name: str, value: Any) -> None:
    def stacks() -> list[Any]:
        params = check(default)
        return [getattr(stage.stack_config(params.model, 128), name)
                for stage in (params.train_encoder, params.train_decoder)]  # fmt: skip

    default["train_decoder"]["num_layers"] = None
    common = SHARED.get(name)
    assert stacks() == [common, common]
    default["train_decoder"][name] = value
    assert stacks() == [common, value]
    default["model"][name] = value
    assert stacks() == [value, value]
    if common is not None:
        default["train_encoder"][name] = common
        assert stacks() == [common, value]


def test_a_file_of_an_earlier_version_becomes_the_recipe_that_it_was(default: dict[str, Any]) -> None:
    old = earlier(default)
    assert compare(default, moved(old)) == []
    assert list(moved(old)) == list(default)
    old["train_decoder"]["d_ff"] = 512
    old["train_encoder"]["norm"] = "post"
    assert [str(difference) for difference in compare(default, moved(old))] == [
        "model.norm: pre -> post", "train_decoder.d_ff: null -> 512", "train_decoder.norm: null -> pre",
    ]  # fmt: skip
    assert moved(default) == default
    assert moved({"train_decoder": {"num_layers": 1}}) == {"train_decoder": {"num_layers": 1}}


def test_check_explains_a_file_of_an_earlier_version_in_one_line(
    default: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = tmp_path / "params.yaml"
    YAML().dump(earlier(default), params)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["check", "--params", "params.yaml"])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "the file is of an earlier version: what encoder and decoder share is in the group model" in result.stderr
    assert "`stageformer use RECIPE` writes it anew" in result.stderr
    with pytest.raises(StageformerError, match=r"^params: the group model is missing$"):
        check({key: group for key, group in default.items() if key != "model"})


def test_use_names_only_what_was_changed_by_hand_in_a_file_of_an_earlier_version(
    default: dict[str, Any], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    params = tmp_path / "params.yaml"
    old = earlier(default)
    old["train_decoder"]["num_heads"] = 8
    YAML().dump(old, params)
    applied = use("default", params, tmp_path / "recipes")
    assert applied.nearest == "default"
    assert [str(lost) for lost in applied.lost] == ["train_decoder.num_heads: null -> 8"]
    assert params.read_bytes() == (ROOT / "recipes/default.yaml").read_bytes()


def test_an_experiment_of_an_earlier_version_differs_in_nothing(default: dict[str, Any], tmp_path: Path) -> None:
    YAML().dump(earlier(default), tmp_path / "params.yaml")
    assert compare(read_parameters(Experiment.open("workspace", tmp_path)), default) == []


def test_the_message_names_the_group_that_the_value_is_in(default: dict[str, Any]) -> None:
    default["train_decoder"]["num_heads"] = 3
    with pytest.raises(StageformerError, match=r"^params: train_decoder\.num_heads is 3, which does not divide"):
        check(default)
    default["train_decoder"]["num_heads"], default["model"]["num_heads"] = None, 5
    with pytest.raises(StageformerError, match=r"^params: model\.num_heads is 5, which does not divide"):
        check(default)


def test_one_number_makes_encoder_and_decoder_of_the_paper(tmp_path: Path) -> None:
    params = check(load_recipe("paper_base", ROOT / "recipes"))
    for stage in (params.train_encoder, params.train_decoder):
        stack = stage.stack_config(params.model, params.embed.d_model)
        assert (stack.num_layers, stack.num_heads, stack.d_ff, stack.norm) == (6, 8, 2048, "post")
