"""Recipes: overlays of the default parameters, and the command that applies them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.params.recipes import Difference, compare, list_recipes, load_recipe, use

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in (ROOT / "recipes").glob("*.yaml")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    shutil.copy(ROOT / "recipes/default.yaml", tmp_path / "params.yaml")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_complete_and_allowed(name: str) -> None:
    load_recipe(name, ROOT / "recipes")


def test_the_default_comes_first_and_each_has_a_description() -> None:
    recipes = list_recipes(ROOT / "recipes")
    assert next(iter(recipes)) == "default"
    assert {"joint", "multi30k", "smoke"} <= recipes.keys()
    assert all(recipes.values())


def test_use_and_back_again(folder: Path) -> None:
    params = folder / "params.yaml"
    before = params.read_bytes()
    applied = use("joint", params, folder / "recipes")
    assert Difference("train_encoder.way", "staged", "joint") in applied.differences
    assert applied.lost == []
    assert "\n  way: joint\n" in params.read_text()
    assert params.read_text().count("#") == before.count(b"#")
    use("default", params, folder / "recipes")
    assert params.read_bytes() == before


def test_recipes_do_not_pile_up(folder: Path) -> None:
    params = folder / "params.yaml"
    use("multi30k", params, folder / "recipes")
    use("joint", params, folder / "recipes")
    assert "\n  source: homeassistant\n" in params.read_text()


def test_changes_made_by_hand_are_named_before_they_are_lost(folder: Path) -> None:
    params = folder / "params.yaml"
    use("joint", params, folder / "recipes")
    params.write_text(params.read_text().replace("  beam_size: ", "  beam_size: 1"))
    applied = use("default", params, folder / "recipes")
    assert applied.nearest == "joint"
    assert [difference.key for difference in applied.lost] == ["translate.beam_size"]


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("# x\nembed:\n  d_modle: 64\n", "unknown parameter embed.d_modle (did you mean 'd_model'?)"),
        ("# x\nembde:\n  d_model: 64\n", "unknown parameter embde (did you mean 'embed'?)"),
        ("# x\nembed:\n  d_model: wide\n", "params: embed.d_model must be a whole number, found 'wide'"),
        ("# x\nembed:\n  d_model: 130\n", "which does not divide d_model (130) of embed"),
        ("# x\nembed: 64\n", "embed is a group of parameters, found 64"),
        ("# x\nembed: [\n", "not readable as YAML"),
        ("# x\n", "expected groups of parameters, found None"),
        ("embed:\n  d_model: 64\n", "line 1: a recipe starts with a comment that describes it, found 'embed:'"),
    ],
)
def test_a_bad_recipe_leaves_params_yaml_alone(folder: Path, recipe: str, message: str) -> None:
    (folder / "recipes/mine.yaml").write_text(recipe)
    before = (folder / "params.yaml").read_bytes()
    with pytest.raises(StageformerError) as caught:
        use("mine", folder / "params.yaml", folder / "recipes")
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(folder / "recipes/mine.yaml"))
    assert (folder / "params.yaml").read_bytes() == before


def test_an_unreadable_params_yaml_is_not_overwritten(folder: Path) -> None:
    (folder / "params.yaml").write_text("a: [")
    with pytest.raises(StageformerError, match="mend or remove the file, then run `stageformer use default` again"):
        use("default", folder / "params.yaml", folder / "recipes")
    assert (folder / "params.yaml").read_text() == "a: ["
    (folder / "params.yaml").unlink()
    use("default", folder / "params.yaml", folder / "recipes")
    assert (folder / "params.yaml").read_bytes() == (folder / "recipes/default.yaml").read_bytes()


def test_compare_tells_true_from_one() -> None:
    differences = compare({"a": {"b": 1, "c": 2, "old": None}}, {"a": {"b": True, "c": 2, "new": [1]}})
    assert [str(difference) for difference in differences] == [
        "a.b: 1 -> true",
        "a.new: (absent) -> [1]",
        "a.old: null -> (absent)",
    ]


def test_command_lists_applies_and_shows_the_difference(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    runner = CliRunner()
    listed = runner.invoke(main, ["use"])
    assert listed.exit_code == 0
    names = ["default", *sorted({*NAMES} - {"default"})]
    assert [line.split()[0] for line in listed.stdout.splitlines()] == names
    applied = runner.invoke(main, ["use", "joint"])
    assert applied.exit_code == 0
    assert "train_encoder.way: staged -> joint\n" in applied.stdout
    assert "Lost" not in applied.stdout
    assert "nothing to change" in runner.invoke(main, ["use", "joint"]).stdout
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("way: joint", "way: jiont"))
    checked = runner.invoke(main, ["check"])
    assert checked.exit_code == 2
    assert checked.stderr == (
        "error: params: train_encoder.way is 'jiont' (did you mean 'joint'?); allowed: staged, joint\n"
    )
    lost = runner.invoke(main, ["use", "default"])
    assert lost.exit_code == 0
    assert lost.stdout.endswith("in no recipe:\n  train_encoder.way: jiont\n")
    assert runner.invoke(main, ["check"]).exit_code == 0


def test_command_names_the_nearest_recipe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, ["use", "mult30k"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: there is no recipe 'mult30k' (did you mean 'multi30k'?)")
    assert result.stderr.count("\n") == 1
