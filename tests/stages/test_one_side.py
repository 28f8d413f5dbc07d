"""A corpus of one side alone, through the real stages: up to the memory, and not one step further."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from ruamel.yaml import YAML

from stageformer.artifacts.tables import read_table
from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.memory.store import MemoryStore
from stageformer.params.groups import check
from stageformer.params.recipes import combine
from stageformer.translator.completer import Completer

ROOT = Path(__file__).parents[2]


def run(folder: Path, stage: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", f"stages.{stage}"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def make(folder: Path, objective: str, **train_encoder: object) -> None:
    """Run the stages up to train_encoder on sentences that count."""
    values = combine("smoke", ROOT / "recipes").values
    (folder / "text").write_text("".join(f"sentence number {number} of many\n" for number in range(300)))
    values["ingest"] |= {"source": "lines", "test_fraction": 0.1, "valid_fraction": 0.1}
    values["ingest"]["files"] |= {"train": ["text"], "target_column": None}
    values["train_encoder"] |= {"objective": objective, **train_encoder}
    shutil.copy(ROOT / "dvc.yaml", folder)
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(values, file)
    checked = run(folder, "check")
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr == (
        "check: the corpus has one side alone: `dvc repro encode` runs the stages up to the memory; train_decoder and "
        "those after it need targets\n"
    )
    for stage in ("ingest", "tokenize", "vocab", "embed", "train_encoder"):
        done = run(folder, stage)
        assert done.returncode == 0, done.stderr


def test_masked_tokens_are_learnt_from_one_side_and_a_decoder_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "masked")
    done = run(tmp_path, "encode")
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
    completed = CliRunner().invoke(main, ["complete", "sentence", "--root", str(tmp_path)])
    assert completed.exit_code == 2
    assert "the objective of this encoder was 'masked', which completes no text; set train_enc" in completed.stderr


def test_a_language_model_is_learnt_from_one_side_and_completes_texts(tmp_path: Path) -> None:
    make(tmp_path, "next_token")
    done = run(tmp_path, "encode")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "reports/train_encoder/metrics.json").read_text())
    valid = read_table(tmp_path / "data/ingest/valid.parquet", "sentences")["source"].to_pylist()
    tokens = sum(map(len, read_table(tmp_path / "data/vocab/valid.parquet", "ids")["source_ids"].to_pylist()))
    for kind in ("", "ngram_"):
        bits = math.log2(metrics[f"valid_{kind}perplexity"]) * tokens / sum(map(len, valid))
        assert metrics[f"valid_{kind}bits_per_character"] == pytest.approx(bits, rel=1e-3)

    def complete(*arguments: str) -> list[str]:
        found = CliRunner().invoke(main, ["complete", *arguments, "--root", str(tmp_path)])
        assert found.exit_code == 0, found.output
        return found.stdout.splitlines()

    (greedy,) = complete("sentence number", "--beam-size", "1", "--json")
    (text,) = json.loads(greedy)["texts"]
    assert text["text"].startswith("sentence number")
    # The same without a cache: all tokens so far are read again for each next one.
    completer = Completer.load(tmp_path)
    encoder, vocabulary = completer.model.encoder, completer.vocabulary
    ids = vocabulary.to_ids(completer.tokenizer.encode_batch(["sentence number"])[0])
    start = len(ids)
    while True:
        with torch.no_grad():
            logits = encoder(torch.tensor([ids]))[0, -1] @ encoder.embedding.weight.t()
        logits[[vocabulary.pad_id, vocabulary.bos_id, vocabulary.unk_id]] = -torch.inf
        following = int(logits.argmax())
        if following == vocabulary.eos_id or len(ids) - start == 63:
            break
        ids.append(following)
    assert text["ids"] == ids
    assert text["tokens"] == vocabulary.to_tokens(ids)

    drawn = complete("", "sentence", "--sample", "--nbest", "3", "--seed", "7")
    assert [line.split("\t")[0] for line in drawn] == ["1"] * 3 + ["2"] * 3
    assert len(set(drawn)) > 3
    assert drawn == complete("", "sentence", "--sample", "--nbest", "3", "--seed", "7")
    assert drawn != complete("", "sentence", "--sample", "--nbest", "3", "--seed", "8")
    (short,) = complete("sentence", "--max-tokens", "3", "--json")
    assert len(json.loads(short)["texts"][0]["ids"]) <= start + 2
    refused = CliRunner().invoke(main, ["complete", "\u4e2d", "--root", str(tmp_path)])
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: beginning 1: ")
    assert "is not in the vocabulary" in refused.stderr


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
