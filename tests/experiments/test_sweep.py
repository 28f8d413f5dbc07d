"""Sweeps: their files, what they would run, and the table over seeds."""

from __future__ import annotations

import copy
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from stageformer.errors import StageformerError
from stageformer.experiments.sweep import SweepRow, list_sweeps, load_sweep
from stageformer.experiments.sweep_runs import make_plan, overrides
from stageformer.experiments.sweep_table import _with_published
from stageformer.experiments.table import T_QUANTILES, Row, Table, averaged, interval_of_mean
from stageformer.params.differences import compare
from stageformer.params.reading import read_yaml
from stageformer.params.recipes import load_recipe
from stageformer.params.seeds import SEEDS
from stageformer.terminal.table_text import comma_separated, markdown

ROOT = Path(__file__).parents[2]
TWO_BY_TWO = """# Two by two
recipe: tiny
seeds: [1, 7]
axes:
  model.num_heads: [2, 4]
  train_decoder.d_ff: [64, 128]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository without runs; code and stages are those of this one."""
    for name in ("src", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(ROOT / "recipes/default.yaml", tmp_path / "params.yaml")
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps/two.yaml").write_text(TWO_BY_TWO)
    return tmp_path


def test_axes_are_a_product_and_each_row_runs_with_every_seed(root: Path) -> None:
    sweep = load_sweep("two", root)
    assert [row.name for row in sweep.rows] == [
        "num_heads=2 d_ff=64", "num_heads=2 d_ff=128", "num_heads=4 d_ff=64", "num_heads=4 d_ff=128"
    ]  # fmt: skip
    assert len(sweep.runs) == 8
    assert sweep.runs[-1].name == "two-num_heads-4-d_ff-128-seed7"
    values = sweep.runs[-1].values
    tiny = load_recipe("tiny", root / "recipes")
    changed = {difference.key: difference.new for difference in compare(tiny, values)}
    assert changed == {"train_decoder.d_ff": 128, **dict.fromkeys(SEEDS, 7)}
    assert list_sweeps(root) == {"two": "Two by two"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("recipe: tiny", "recipe: tiney", "there is no recipe 'tiney' (did you mean 'tiny'?)"),
        ("model.num_heads", "model.num_head", "unknown parameter model.num_head (did you mean 'model.num_heads'?)"),
        ("[2, 4]", "[2, 3]", "row 'num_heads=3 d_ff=64': params: model.num_heads is 3, which does not divide d_model"),
        ("[2, 4]", "4", "axes: model.num_heads must be a list of values, found 4"),
        ("[1, 7]", "[1, 1]", "a seed is twice in [1, 1]"),
        ("[1, 7]", "[1, -7]", "seeds must be a list of whole numbers, found [1, -7]"),
        ("seeds:", "seed:", "unknown key seed (did you mean 'seeds'?)"),
        ("axes:", "rows: {}\naxes:", "a sweep has either axes or rows"),
        ("axes:", "published: {other: {bleu: 1}}\naxes:", "published: there is no row 'other'"),
        ("# Two by two\n", "", "line 1: a sweep starts with a comment that describes it"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(root: Path, old: str, new: str, message: str) -> None:
    path = root / "sweeps/two.yaml"
    path.write_text(TWO_BY_TWO.replace(old, new, 1))
    with pytest.raises(StageformerError) as caught:
        load_sweep("two", root)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_sweep_that_is_not_there_names_the_nearest(root: Path) -> None:
    with pytest.raises(StageformerError, match=r"there is no sweep 'tow' \(did you mean 'two'\?\); sweeps/ has two"):
        load_sweep("tow", root)


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml")))
def test_every_committed_sweep_is_allowed(name: str) -> None:
    sweep = load_sweep(name, ROOT)
    assert len({run.name for run in sweep.runs}) == len(sweep.rows) * len(sweep.seeds)


def test_table_3_has_every_block_of_the_paper_in_its_order_with_its_figures() -> None:
    sweep = load_sweep("table3", ROOT)
    assert "".join(dict.fromkeys(row.name[0] for row in sweep.rows)) == "bABCDE"
    assert len(sweep.seeds) >= 3
    assert all(row.published.keys() == {"perplexity", "bleu"} for row in sweep.rows)
    base = sweep.rows[0].values
    assert all(compare(base, row.values) for row in sweep.rows[1:])


def test_the_plan_counts_what_is_shared_once(root: Path) -> None:
    plan = make_plan(load_sweep("two", root), {}, root)
    assert (plan.experiments, plan.missing) == (8, 8)
    assert {stage.name: stage.runs for stage in plan.stages} == {
        "ingest": 1, "tokenize": 1, "vocab": 1, "embed": 2, "train_encoder": 4, "encode": 4, "train_decoder": 8,
        "translate": 8, "evaluate": 8,
    }  # fmt: skip
    assert plan.seconds is None, "nothing has run here"


def test_settings_turn_any_parameters_into_any_others_by_dvc_itself(tmp_path: Path) -> None:
    from dvc.utils.hydra import apply_overrides

    default: Any = read_yaml(ROOT / "recipes/default.yaml")
    wanted = copy.deepcopy(load_recipe("tiny", ROOT / "recipes"))
    wanted["tokenize"]["target"] = {"kind": "char", "case": "keep", "normalisation": "none"}
    wanted["ingest"]["files"]["train"] = ["a b.txt", "c,d='e\".txt"]
    wanted["export"] |= {"license": "it's {mine}: no", "data_license": "1e3"}
    wanted["model"] |= {"d_k": 7, "attention_dropout": 1e-9}
    for old, new in ((default, wanted), (wanted, default)):
        path = tmp_path / "params.yaml"
        from ruamel.yaml import YAML

        YAML().dump(old, path)
        apply_overrides(path, list(overrides(old, new)))
        assert compare(new, read_yaml(path)) == []


def test_the_interval_of_a_mean_is_that_of_student() -> None:
    for number, quantile in enumerate(T_QUANTILES, start=1):
        assert quantile == pytest.approx(scipy.stats.t.ppf(0.975, number), abs=1e-4)
    values = [20.1, 21.4, 19.9, 20.7]
    found = interval_of_mean(values)
    low, high = scipy.stats.t.interval(0.95, 3, statistics.fmean(values), scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def row(name: str, bleu: float, seed: int, heads: int = 4) -> Row:
    return Row(name, {"model.num_heads": heads, "embed.seed": seed}, {"bleu": bleu, "chrf": 2 * bleu}, {}, {})


def test_means_and_spreads_are_those_computed_by_hand() -> None:
    rows = [row("a1", 20.0, 1), row("a2", 22.0, 2), row("a3", 27.0, 3), row("b1", 9.0, 1, heads=2)]
    table = averaged(
        Table(["model.num_heads", "embed.seed"], rows, []), {"a": ["a1", "a2", "a3"], "b": ["b1"], "c": ["c1"]}, SEEDS
    )
    assert table.parameters == ["model.num_heads"]
    a, b = table.rows
    assert (a.scores, b.scores) == ({"bleu": 23.0, "chrf": 46.0}, {"bleu": 9.0, "chrf": 18.0})
    assert a.spreads == {"bleu": pytest.approx(13**0.5, abs=1e-4), "chrf": pytest.approx(2 * 13**0.5, abs=1e-4)}
    assert (b.spreads, b.intervals, b.beside) == ({}, {}, {"seeds": "1"})
    half = 4.3027 * 13**0.5 / 3**0.5
    assert (a.intervals["bleu"].low, a.intervals["bleu"].high) == pytest.approx((23 - half, 23 + half), abs=1e-3)
    assert "| a | 4 | 23.00 ± 3.61 \\[14.04, 31.96] |" in markdown(table)
    head, first, _ = comma_separated(table).splitlines()
    assert head.startswith("experiment,model.num_heads,bleu,bleu_sd,bleu_low,bleu_high,chrf")
    assert first.startswith("a,4,23.0,3.6056,14.0")


@pytest.mark.parametrize(
    ("own", "published", "expected"),
    [
        ((10.0, 11.0, 10.5), 24.0, "-1.8: same"),
        ((30.0, 31.0, 30.5), 24.0, "-1.8: opposite"),
        ((30.0, 31.0, 30.5), 26.8, "+1: same"),
        ((20.0, 21.6, 20.4), 24.0, "-1.8: not told apart"),
        ((30.0,), 24.0, "-1.8: too few seeds"),
    ],
)
def test_the_direction_is_told_from_the_differences_seed_by_seed(
    own: tuple[float, ...], published: float, expected: str
) -> None:
    base = SweepRow("base", {}, {"bleu": 25.8})
    other = SweepRow("other", {}, {"bleu": published})
    by_seed = {
        "base": {seed: row("base", score, seed) for seed, score in enumerate((20.0, 21.2, 20.7))},
        "other": {seed: row("other", score, seed) for seed, score in enumerate(own)},
    }
    found = _with_published(row("other", 0.0, 0), other, base, by_seed)
    assert found.beside == {"BLEU, published": f"{published:g}", "BLEU, direction": expected}
