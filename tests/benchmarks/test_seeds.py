"""Mean and standard deviation over seeds, of runs that go on where they were interrupted."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import seeds
from stageformer.params.groups import check
from stageformer.params.reading import read_yaml
from stageformer.params.recipes import load_recipe
from stageformer.params.seeds import seeded

ROOT = Path(__file__).parents[2]
RUNS = [
    {"seed": seed, "perplexity": 2.0, "beam": {"bleu": bleu, "chrf": 50.0}}
    for seed, bleu in enumerate((20.0, 22.0, 27.0), start=1)
]


def test_mean_and_standard_deviation_are_those_of_a_sample() -> None:
    found = seeds.summary(RUNS)
    assert found["bleu"]["mean"] == pytest.approx(23)
    assert found["bleu"]["sd"] == pytest.approx(13**0.5)  # (9 + 1 + 16) / (3 - 1)
    assert (found["perplexity"]["mean"], found["chrf"]["sd"]) == (2, 0)
    lines = seeds.table(RUNS).splitlines()
    assert lines[0].split() == ["seed", "1", "seed", "2", "seed", "3", "mean", "±", "sd"]
    assert lines[1].split() == ["BLEU", "20.00", "22.00", "27.00", "23.00", "±", "3.61"]


def test_every_seed_but_that_of_the_split_changes() -> None:
    values = load_recipe("default", ROOT / "recipes")
    changed = seeded(values, 7)
    check(changed)
    assert changed["ingest"] == values["ingest"]
    found = [changed["embed"]["seed"], changed["encode"]["seed"]]
    found += [changed[stage]["training"]["seed"] for stage in ("train_encoder", "train_decoder")]
    assert found == [7] * 4
    assert values["embed"]["seed"] == 1


def test_only_seeds_without_scores_are_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline is replaced: what it would have been run with is in params.yaml."""
    ran: list[int] = []

    def run_pipeline(cloned: Path, folder: Path, *targets: str) -> None:
        assert targets == ("evaluate",)
        seed = read_yaml(cloned / "params.yaml")["embed"]["seed"]
        if seed == 3 and 3 not in ran:
            ran.append(3)
            raise KeyboardInterrupt
        ran.append(seed)
        (cloned / "reports/evaluate").mkdir(parents=True, exist_ok=True)
        (cloned / "reports/evaluate/metrics.json").write_text(json.dumps(RUNS[seed - 1]))

    monkeypatch.setattr(seeds, "run_pipeline", run_pipeline)
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "recipes", root / "recipes")
    shutil.copy(ROOT / "params.yaml", root)
    for arguments in (["init"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)
    monkeypatch.setattr(seeds, "ROOT", root)
    command = ["tiny", "--folder", str(tmp_path / "runs"), "--json", str(tmp_path / "seeds.json")]
    assert CliRunner().invoke(seeds.main, command).exit_code != 0
    assert ran == [1, 2, 3]
    result = CliRunner().invoke(seeds.main, command)
    assert result.exit_code == 0, result.output
    assert ran == [1, 2, 3, 3]
    assert "23.00 ± 3.61" in result.stdout
    written = json.loads((tmp_path / "seeds.json").read_text())
    assert [run["beam"]["bleu"] for run in written["runs"]] == [20, 22, 27]
    assert written["summary"]["bleu"]["mean"] == pytest.approx(23)
    result = CliRunner().invoke(seeds.main, ["smoke", *command[1:]])
    assert result.exit_code == 2
    assert "holds runs of the recipe 'tiny', not 'smoke'" in result.output
