"""A corpus of one side alone, through the real stages: up to the memory, and not one step further."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stageformer.artifacts.tables import read_table
from stageformer.errors import StageformerError
from stageformer.memory.store import MemoryStore
from stageformer.params.groups import check
from stageformer.params.recipes import combine

ROOT = Path(__file__).parents[2]


def run(folder: Path, stage: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", f"stages.{stage}"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_masked_tokens_are_learnt_from_one_side_and_a_decoder_is_refused(tmp_path: Path) -> None:
    values = combine("smoke", ROOT / "recipes").values
    (tmp_path / "text").write_text("".join(f"sentence number {number} of many\n" for number in range(300)))
    values["ingest"] |= {"source": "lines", "test_fraction": 0.1, "valid_fraction": 0.1}
    values["ingest"]["files"] |= {"train": ["text"], "target_column": None}
    values["train_encoder"]["objective"] = "masked"
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(values, file)
    checked = run(tmp_path, "check")
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr == (
        "check: the corpus has one side alone: `dvc repro encode` runs the stages up to the memory; train_decoder and "
        "those after it need targets\n"
    )
    for stage in ("ingest", "tokenize", "vocab", "embed", "train_encoder", "encode"):
        done = run(tmp_path, stage)
        assert done.returncode == 0, done.stderr
    rows = read_table(tmp_path / "data/ingest/train.parquet", "sentences").to_pylist()
    assert {(row["target"], *row["references"]) for row in rows} == {("", "")}
    ids = read_table(tmp_path / "data/vocab/train.parquet", "ids")
    assert ids["target_ids"].to_pylist() == [[1, 2]] * len(rows)  # <bos> <eos>
    memory = MemoryStore(tmp_path / "data/encode/train")
    assert memory.ids.tolist() == ids["id"].to_pylist()
    refused = run(tmp_path, "train_decoder")
    assert refused.returncode == 2
    (error,) = [line for line in refused.stderr.splitlines() if not line.startswith("warning: ")]
    assert error.startswith("error: no sentence of train has a target: the corpus has one side alone;")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_encoder": {"way": "joint"}}, "ingest.target_language is null, .* but train_encoder.way 'joint' needs"),
        ({"train_encoder": {"objective": "translation"}}, "but train_encoder.objective 'translation' needs them"),
        ({"train_encoder": {"objective": "masked"}, "train_decoder": {"target_embedding": "embed"},
          "vocab": {"shared": False},
          "tokenize": {"target": {"kind": "char", "case": "keep", "normalisation": "none"}}},
         "but tokenize.target"),
    ],
)  # fmt: skip
def test_what_needs_targets_is_refused_by_check(changes: dict[str, dict[str, object]], message: str) -> None:
    values = combine("smoke", ROOT / "recipes").values
    values["ingest"]["target_language"] = None
    for group, change in changes.items():
        values[group] |= change
    with pytest.raises(StageformerError, match=message):
        check(values)
