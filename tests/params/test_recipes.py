"""Recipes: overlays of the default parameters, and the command that applies them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.params.differences import Difference
from stageformer.params.recipes import combinations, combine, list_recipes, load_recipe, use

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in (ROOT / "recipes").glob("*.yaml")]
COMBINATIONS = combinations(ROOT / "recipes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    shutil.copy(ROOT / "recipes/default.yaml", tmp_path / "params.yaml")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("names", COMBINATIONS)
def test_every_combination_is_complete_and_allowed_and_in_any_order_the_same(names: str) -> None:
    combined = combine(names, ROOT / "recipes")
    assert combined.conflicts == []
    first, *others = names.split()
    for order in ([*others, first], [first, *reversed(others)]):
        assert combine(" ".join(order), ROOT / "recipes") == combined


def test_the_combinations_are_those_that_recipes_have_sections_for() -> None:
    assert {frozenset(names.split()) for names in COMBINATIONS} == {
        frozenset(names.split())
        for names in (
            "default", "joint", "multi30k", "multi30k joint", "multi30k lowercase", "multi30k joint lowercase",
            "multi30k joint lowercase transformer_tiny", "brown", "g2p", "kind_of_string", "next_token", "paper_base",
            "pretrained", "brown pretrained", "kind_of_string pretrained",
            "multi30k pretrained", "multi30k lowercase pretrained", "smoke", "tiny", "vec2text",
        )
    }  # fmt: skip


def test_the_default_comes_first_and_each_has_a_description() -> None:
    recipes = list_recipes(ROOT / "recipes")
    assert next(iter(recipes)) == "default"
    assert recipes.keys() == {*NAMES}
    assert all(recipe.description for recipe in recipes.values())


@pytest.mark.parametrize("names", COMBINATIONS)
def test_no_recipe_names_a_file_outside_of_the_repository(names: str) -> None:
    files = load_recipe(names, ROOT / "recipes")["ingest"]["files"]
    for name in (name for split in ("train", "valid", "test") for name in files[split]):
        path = Path(name)
        assert name.startswith("https://") or (path.parts[0] == "corpus" and ".." not in path.parts)


def test_sections_count_where_the_recipes_that_they_name_are_used() -> None:
    def training(names: str) -> tuple[int, int, float]:
        values = load_recipe(names, ROOT / "recipes")["train_decoder"]
        return values["num_layers"], values["training"]["max_updates"], values["memory_dropout"]

    assert training("multi30k") == (None, 3300, 0.2)
    assert training("joint") == (3, 2600, 0.0)
    assert training("multi30k joint") == (None, 7000, 0.0)
    assert training("multi30k lowercase") == (None, 4000, 0.1)
    assert training("multi30k lowercase joint") == (None, 9000, 0.0)


def test_use_and_back_again(folder: Path) -> None:
    params = folder / "params.yaml"
    before = params.read_bytes()
    applied = use("joint", params, folder / "recipes")
    assert Difference("train_encoder.way", "staged", "joint") in applied.differences
    assert applied.lost == []
    assert "\n  way: joint\n" in params.read_text()
    assert "\n# Made with `stageformer use joint`.\n" in params.read_text()
    assert params.read_text().count("#") == before.count(b"#") + 1
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


def test_recipes_without_a_section_for_each_other_are_not_lost_either(folder: Path) -> None:
    params = folder / "params.yaml"
    use("joint smoke", params, folder / "recipes")
    applied = use("default", params, folder / "recipes")
    assert (applied.nearest, applied.lost) == ("joint smoke", [])


def test_the_later_recipe_counts_and_one_line_says_so(folder: Path) -> None:
    (folder / "recipes/wide.yaml").write_text("# wide\nembed:\n  d_model: 256\n  seed: 1\ntranslate:\n  beam_size: 9\n")
    (folder / "recipes/narrow.yaml").write_text("# narrow\nembed:\n  d_model: 64\n  seed: 1\n  max_length: 99\n")
    combined = combine("wide narrow", folder / "recipes")
    assert combined.values["embed"]["d_model"] == 64
    assert combined.conflicts == ["narrow overrides wide:\n  embed.d_model: 256 -> 64"]
    turned = combine("narrow wide", folder / "recipes")
    assert turned.values["embed"]["d_model"] == 256
    assert turned.conflicts == ["wide overrides narrow:\n  embed.d_model: 64 -> 256"]
    # A section that names both settles it, whoever comes last.
    with (folder / "recipes/narrow.yaml").open("a") as file:
        file.write("with wide:\n  embed: {d_model: 128}\n")
    for names in ("wide narrow", "narrow wide"):
        settled = combine(names, folder / "recipes")
        assert (settled.values["embed"]["d_model"], settled.conflicts) == (128, [])


@pytest.mark.parametrize("names", ["multi30k pretrained", "pretrained multi30k", "smoke pretrained"])
def test_what_is_for_another_kind_of_a_group_is_not_laid_over_it(folder: Path, names: str) -> None:
    combined = combine(names, folder / "recipes")
    assert combined.values["tokenize"]["source"].keys() == {"kind", "case", "normalisation", "path"}
    (folder / "recipes/typo.yaml").write_text("# typo\ntokenize: {source: {vocabulary_sice: 5}}\n")
    with pytest.raises(StageformerError, match=r"unknown parameter tokenize\.source\.vocabulary_sice"):
        combine("pretrained typo", folder / "recipes")


def test_every_conflict_has_a_line(folder: Path) -> None:
    (conflict,) = combine("multi30k smoke", folder / "recipes").conflicts
    head, *lines = conflict.splitlines()
    assert head == "smoke overrides multi30k:"
    assert lines[0] == "  tokenize.source.vocabulary_size: 5000 -> 300"
    assert len(lines) == 8


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("lowercase", "the recipe 'lowercase' is only for multi30k; run `stageformer use multi30k lowercase`"),
        ("lowercase joint",
         "the recipe 'lowercase' is only for multi30k; run `stageformer use multi30k lowercase joint`"),
        ("plain joint", "the recipe 'plain' changes nothing beside joint"),
    ],
)
def test_a_recipe_that_changes_nothing_beside_the_others_says_what_it_is_for(
    folder: Path, names: str, message: str
) -> None:
    (folder / "recipes/plain.yaml").write_text("# plain\nwithout joint:\n  embed: {seed: 5}\n")
    assert load_recipe("plain", folder / "recipes")["embed"]["seed"] == 5
    with pytest.raises(StageformerError) as caught:
        combine(names, folder / "recipes")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("# x\nembed:\n  d_modle: 64\n", "unknown parameter embed.d_modle (did you mean 'd_model'?)"),
        ("# x\nembde:\n  d_model: 64\n", "unknown parameter embde (did you mean 'embed'?)"),
        ("# x\nembed:\n  d_model: wide\n", "params: embed.d_model must be a whole number, found 'wide'"),
        ("# x\nembed:\n  d_model: 130\n", "which does not divide d_model (130) of embed"),
        ("# x\nembed: 64\n", "embed is a group of parameters, found 64"),
        ("# x\nembed: [\n", "not readable as YAML"),
        ("# x\n", "expected groups of parameters, found nothing"),
        ("# x\nwith jiont:\n  embed: {}\n", "'with jiont' names no other recipe 'jiont' (did you mean 'joint'?)"),
        ("# x\nwith mine:\n  embed: {d_model: 64}\n", "'with mine' names no other recipe 'mine'"),
        ("# x\nwith:\n  embed: {d_model: 64}\n", "'with' names no recipe"),
        ("# x\nwithout joint: 3\n", "'without joint' must hold groups of parameters, found 3"),
        ("# x\nwithout joint:\n  embed: {d_modle: 64}\n", "unknown parameter embed.d_modle (did you mean 'd_model'?)"),
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


def test_a_bad_recipe_does_not_keep_others_from_being_used(folder: Path) -> None:
    recipes = folder / "recipes"
    (recipes / "broken.yaml").write_text("embed: [")
    (recipes / "latin.yaml").write_bytes(b"# \xe9\nembed: {seed: 3}\n")
    (recipes / "folder.yaml").mkdir()
    (recipes / "nowhere.yaml").symlink_to("nothing")
    for names in ("joint", "default"):
        use(names, folder / "params.yaml", recipes)
    listed = list_recipes(recipes)
    for name, reason in (
        ("broken", "not readable as YAML"), ("latin", "not UTF-8 text"), ("folder", "not readable (Is a directory)"),
        ("nowhere", "no such file"),
    ):  # fmt: skip
        assert listed[name].description.startswith(f"cannot be used: {recipes / name}.yaml")
        assert reason in listed[name].description
        with pytest.raises(StageformerError) as caught:
            use(name, folder / "params.yaml", recipes)
        assert reason in str(caught.value)


def test_an_unreadable_params_yaml_is_not_overwritten(folder: Path) -> None:
    (folder / "params.yaml").write_text("a: [")
    with pytest.raises(StageformerError, match="fix or remove the file, then run `stageformer use default` again"):
        use("default", folder / "params.yaml", folder / "recipes")
    assert (folder / "params.yaml").read_text() == "a: ["
    (folder / "params.yaml").unlink()
    use("default", folder / "params.yaml", folder / "recipes")
    assert (folder / "params.yaml").read_bytes() == (folder / "recipes/default.yaml").read_bytes()


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
    line = 1 + Path("params.yaml").read_text().splitlines().index("  way: jiont")
    checked = runner.invoke(main, ["check"])
    assert checked.exit_code == 2
    assert checked.stderr == (
        f"error: params.yaml, line {line}: train_encoder.way is 'jiont' (did you mean 'joint'?); "
        "allowed: staged, joint\n"
    )
    lost = runner.invoke(main, ["use", "default"])
    assert lost.exit_code == 0
    assert lost.stdout.endswith("in no recipe:\n  train_encoder.way: jiont\n")
    assert runner.invoke(main, ["check"]).exit_code == 0


def test_command_combines_recipes_and_says_where_they_disagree(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, ["use", "joint", "smoke"])
    assert result.exit_code == 0
    assert result.stderr == (
        "note: smoke overrides joint:\n  train_decoder.num_layers: 3 -> null\n"
        "  train_decoder.training.max_updates: 2600 -> 6\n  train_decoder.training.warmup_updates: 300 -> 2\n"
        "Of two recipes, the one that is named later counts.\n"
    )
    assert "train_encoder.way: staged -> joint\n" in result.stdout
    listed = CliRunner().invoke(main, ["use"]).stdout
    assert "published scores have it [only with multi30k; goes with joint, pretrained, transformer_tiny]\n" in listed
    assert "on the default corpus [goes with lowercase, multi30k, transformer_tiny]\n" in listed


def test_command_names_the_nearest_recipe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, ["use", "mult30k"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: there is no recipe 'mult30k' (did you mean 'multi30k'?)")
    assert result.stderr.count("\n") == 1
