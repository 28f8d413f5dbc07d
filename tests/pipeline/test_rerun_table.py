"""The table of what reruns in docs/experiments.md, row by row against DVC and against `stageformer status`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from stageformer.experiments.status import read_status
from stageformer.params.groups import Parameters

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")  # What DVC does inside is not ours.
ROOT = Path(__file__).parents[2]
PARAMS: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "recipes/default.yaml")


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def table() -> list[tuple[str, list[str]]]:
    """The rows: a parameter or ``group.*``, and the stages."""
    section = (ROOT / "docs/experiments.md").read_text(encoding="utf-8").split("## What reruns\n")[1].split("\n## ")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [(parameter, names(stages)) for parameters, stages in cells for parameter in names(parameters)]


def changed_parameter(values: Mapping[str, Any], name: str) -> tuple[str, list[object]]:
    """A parameter below ``name`` that is a whole number or a text, which may be null, and new values; one fits."""
    value = values[name]
    if type(value) is int:
        return name, [value + 1, value * 2]
    if not isinstance(value, Mapping):
        return name, ["another"]
    inner = next((key for key, leaf in value.items() if type(leaf) is int), None)
    inner = inner or next((key for key, leaf in value.items() if isinstance(leaf, Mapping)), None)
    inner = inner or next((key for key, leaf in value.items() if leaf is None), None)
    inner = inner or next(key for key, leaf in value.items() if isinstance(leaf, str))
    leaf, candidates = changed_parameter(value, inner)
    return f"{name}__{leaf}", candidates


def changed_and_descendants(root: Path) -> tuple[dict[str, Any], set[str]]:
    """What ``dvc status dvc.yaml`` says of each stage but ``check``, and those with all of it that depend on them."""
    with Repo(str(root)) as repo:
        changed = {name: why for name, why in repo.status(["dvc.yaml"]).items() if name != "check"}
        graph = networkx.relabel_nodes(repo.index.graph, {stage: stage.addressing for stage in repo.index.stages})
    stages = set(changed).union(*(networkx.ancestors(graph, name) for name in changed))
    return changed, {name for name in stages if not name.startswith("heads/")}


def passes_check(root: Path) -> bool:
    """Run ``check``, which writes the manifests."""
    return not subprocess.run([sys.executable, "-m", "stages.check"], cwd=root, capture_output=True).returncode


def running(root: Path) -> list[str]:
    """What ``stageformer status`` says would run."""
    return [stage.name for stage in read_status(root).stages if stage.would_run]


@pytest.fixture
def observed(repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site_cache"))
    monkeypatch.chdir(repository.root)  # DVC names stages relative to the working directory.
    return repository


def test_every_row_is_true(observed) -> None:
    rows = table()
    assert {parameter.split(".")[0] for parameter, _ in rows} == Parameters.model_fields.keys()
    params = observed.root / "params.yaml"
    before = params.read_bytes()
    found = []
    for parameter, _ in rows:
        *groups, last = parameter.removesuffix(".*").split(".")
        values = PARAMS
        for group in groups:
            values = values[group]
        leaf, candidates = changed_parameter(values, last)
        for value in candidates:
            observed.set(**{"__".join([*groups, leaf]): value})
            if passes_check(observed.root):
                break
        else:
            pytest.fail(f"{parameter}: none of {candidates} passes the check")
        _, stages = changed_and_descendants(observed.root)
        found.append((parameter, [stage for stage in observed.stages if stage in stages]))
        assert running(observed.root) == ["check", *found[-1][1]]
        params.write_bytes(before)
    assert found == rows
    assert changed_and_descendants(observed.root) == ({}, set())


@pytest.mark.parametrize(
    ("changed", "stages"),
    [
        ("model__num_heads", ["train_encoder", "encode", "train_decoder", "translate", "evaluate", "export"]),
        ("train_encoder__num_heads", ["train_encoder", "encode", "train_decoder", "translate", "evaluate", "export"]),
        ("train_decoder__num_heads", ["train_decoder", "translate", "evaluate", "export"]),
    ],
)
def test_a_size_of_the_decoder_alone_does_not_rerun_the_encoder(observed, changed: str, stages: list[str]) -> None:
    observed.set(**{changed: 4})
    assert passes_check(observed.root)
    assert changed_and_descendants(observed.root)[1] == set(stages)
    assert running(observed.root) == ["check", *stages]


def test_a_comment_in_the_perplexity_reruns_translate_and_at_most_what_reads_its_output(observed) -> None:
    with (observed.root / "src/stageformer/decoding/forced.py").open("a") as file:
        file.write("# a comment\n")
    assert running(observed.root) == ["check", "translate", "evaluate", "export"]
    assert passes_check(observed.root)
    changed, stages = changed_and_descendants(observed.root)
    assert changed == {"translate": [{"changed deps": {"data/check/code/translate.txt": "modified"}}]}
    assert stages == {"translate", "evaluate", "export"}
