"""The estimate of memory: near what is measured, and refused where the machine cannot hold it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stageformer.compute import estimate as module
from stageformer.compute.estimate import check_memory, estimate
from stageformer.params.groups import Parameters, check
from stageformer.params.messages import ParameterError
from stageformer.params.reading import read_yaml

ROOT = Path(__file__).parents[2]


def parameters(**changes: Any) -> Parameters:
    values: Any = read_yaml(ROOT / "recipes/default.yaml")
    for name, value in changes.items():
        *groups, leaf = name.split("__")
        place = values
        for group in groups:
            place = place[group]
        assert leaf in place
        place[leaf] = value
    return check(values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("embed.d_model", 65_536), ("tokenize.source.vocabulary_size", 1_000_000), ("model.num_layers", 1000),
        ("train_encoder.num_layers", 1000), ("model.d_ff", 1_000_000), ("train_encoder.d_ff", 1_000_000),
        ("compute.threads", 1024), ("embed.max_length", 1_000_000),
        ("compute.processes", 4096), ("train_decoder.num_layers", 1000),
    ],
)  # fmt: skip
def test_what_the_machine_cannot_hold_is_refused_by_name(
    name: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "memory_of_this_machine", lambda: 2**29)
    changes = {"train_encoder__training__batch_tokens": 10**6} if name == "compute.threads" else {}
    with pytest.raises(ParameterError) as refused:
        check_memory(parameters(**{name.replace(".", "__"): value}, **changes))
    assert refused.value.message.startswith(f"{name} is {value:,}: train_")
    assert "this machine has 0.5 GiB" in refused.value.message


def test_the_recipes_fit_a_small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "memory_of_this_machine", lambda: 2 * 2**30)
    check_memory(parameters())


def test_a_gpu_has_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "memory_of_this_machine", lambda: 2**29)
    check_memory(parameters(embed__d_model=65_536, compute__device="cuda"))


@pytest.mark.parametrize("width", [512, 1024])
def test_it_is_within_a_factor_of_two_of_a_real_training(width: int, tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    from stageformer.params.recipes import use
    from tests.repositories import write_corpus

    write_corpus(tmp_path / "corpus")
    use("smoke", tmp_path / "params.yaml", ROOT / "recipes")
    values = YAML(typ="safe").load(tmp_path / "params.yaml")
    values["ingest"]["source"] = "lines"
    values["ingest"]["files"] |= {split: [f"corpus/{split}.en", f"corpus/{split}.de"] for split in ("train", "valid")}
    values["embed"]["d_model"] = width
    values["model"] |= {"num_heads": 8}
    values["train_encoder"] |= {"d_ff": 4 * width, "num_layers": 4}
    values["train_encoder"]["training"] |= {"max_updates": 2, "validate_every": 1, "warmup_updates": 0}
    YAML().dump(values, tmp_path / "params.yaml")
    for command in (["init", "--quiet"], ["commit", "-qm", "x", "--allow-empty"]):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True)
    variables = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    for stage in ("ingest", "tokenize", "vocab", "embed", "train_encoder"):
        subprocess.run([sys.executable, "-m", f"stages.{stage}"], cwd=tmp_path, env=variables, check=True,
                       capture_output=True)  # fmt: skip
    peak = json.loads((tmp_path / "reports/train_encoder/cost.json").read_text())["peak_memory_mib"]
    found = estimate(check(read_yaml(tmp_path / "params.yaml")))["train_encoder"] / 2**20
    print(f"width {width}: estimate {found:.0f} MiB, peak {peak:.0f} MiB")
    assert peak / 2 <= found <= peak * 2
