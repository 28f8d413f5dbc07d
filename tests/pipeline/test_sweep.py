"""A real sweep: killed in a training and resumed, with a table that is computed by hand from the experiments."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from typing import Any

SWEEP = """# Heads in the decoder
recipe: smoke
seeds: [1, 2]
set:
  ingest.source: lines
  ingest.files.train: [corpus/train.en, corpus/train.de]
  ingest.files.valid: [corpus/valid.en, corpus/valid.de]
axes:
  train_decoder.num_heads: [1, 4]
"""


def test_it_is_killed_and_resumed_and_its_table_is_right(repository, tmp_path) -> None:
    (repository.root / "sweeps/mine.yaml").write_text(SWEEP)
    repository.commit()
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables |= {"STAGEFORMER_SCRATCH": str(tmp_path / "scratch"), "PYTHONPATH": str(repository.root / "src")}

    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "stageformer.cli", "sweep", "mine", *arguments]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*arguments), cwd=repository.root, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    before = (repository.root / "params.yaml").read_bytes()
    plan = json.loads(run("--plan", "--json").stdout)
    assert (plan["experiments"], plan["missing"]) == (4, 4)
    assert {name: stage["runs"] for name, stage in plan["stages"].items()} == {
        "ingest": 1, "tokenize": 1, "vocab": 1, "embed": 2, "train_encoder": 2, "encode": 2, "train_decoder": 4,
        "translate": 4, "evaluate": 4,
    }  # fmt: skip

    with subprocess.Popen(
        command(), cwd=repository.root, env=variables, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("[2/4]"):  # one is finished, another one has begun
                time.sleep(1)
                os.killpg(process.pid, signal.SIGKILL)
                break
    assert json.loads(run("--plan", "--json").stdout)["missing"] == 3

    found = json.loads(run("--json").stdout)
    assert (repository.root / "params.yaml").read_bytes() == before
    assert json.loads(run("--plan", "--json").stdout)["missing"] == 0
    assert run().stderr.count("[") == 0, "nothing is left to run"
    listed = repository.dvc("exp", "list", "--name-only").split()
    assert sorted(listed) == sorted(f"mine-num_heads-{heads}-seed{seed}" for heads in (1, 4) for seed in (1, 2))

    def metrics(heads: int, seed: int) -> Any:
        name = f"mine-num_heads-{heads}-seed{seed}"
        commit = next(line.split()[0] for line in repository.git("show-ref").splitlines() if line.endswith(f"/{name}"))
        return json.loads(repository.git("show", f"{commit}:reports/evaluate/metrics.json"))

    for row, heads in zip(found["experiments"], (1, 4), strict=True):
        assert row["experiment"] == f"num_heads={heads}"
        values = [metrics(heads, seed)["perplexity"] for seed in (1, 2)]
        assert row["scores"]["perplexity"] == round(statistics.fmean(values), 4)
        assert row["standard_deviations"]["perplexity"] == round(statistics.stdev(values), 4)
        assert values[0] != values[1]
    folder = repository.root / "sweeps/mine"
    assert {path.name for path in folder.iterdir()} == {
        "table.md", "table.csv", "table.json", "experiments.csv", "picture.png", "picture.svg"
    }  # fmt: skip
    assert json.loads((folder / "table.json").read_text(encoding="utf-8")) == found
