"""Runs that were measured: what they had to do, what they took, and what they left on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.costs import Cost
from stageformer.experiments.experiment import WORKSPACE, Experiment
from stageformer.experiments.missing import LOCK
from stageformer.experiments.work import Corpus
from stageformer.params.groups import Parameters, check
from stageformer.params.reading import parse_yaml
from stageformer.provenance.record import ENVIRONMENT, cpu


@dataclass(frozen=True)
class Measured:
    """A run of the pipeline."""

    parameters: Parameters
    corpus: Corpus
    costs: Mapping[str, Cost]
    """by stage"""
    sizes: Mapping[str, int]
    """bytes of the outputs, by stage"""


def last_run(root: Path, parameters: Parameters, stages: Iterable[str]) -> Measured:
    """Return the last run in a repository.

    Args:
        root: of the repository.
        parameters: for which a run is planned.
        stages: which are needed.

    Raises:
        StageformerError: it tells nothing about these parameters on this machine: it was on another one, or with
            another corpus, or is not whole. The message says why.
    """
    run = Experiment.open(WORKSPACE, root)
    content = run.read_bytes(LOCK)
    if content is None:
        raise StageformerError("nothing has run here yet")
    locked: Any = parse_yaml(content, LOCK).get("stages") or {}
    groups: dict[str, Any] = {}
    sizes, costs = {}, {}
    for stage in stages:
        cost, entry = Cost.read(run, stage), locked.get(stage)
        if cost is None or not isinstance(entry, Mapping):
            raise StageformerError(f"{stage} has not run here yet")
        groups |= (entry.get("params") or {}).get("params.yaml") or {}
        costs[stage] = cost
        sizes[stage] = sum(out.get("size", 0) for out in entry.get("outs") or [] if out["path"].startswith("data/"))
        was = run.read_json(f"reports/{stage}/{ENVIRONMENT}").get("cpu")
        if was != cpu():
            raise StageformerError(f"the last run was on another machine ({was}; this is {cpu()})")
    values = parameters.model_dump()
    for name in ("ingest", "tokenize", "vocab", "compute"):
        if groups.get(name, values[name]) != values[name]:
            raise StageformerError(f"the last run had other values in the group {name}")
    whole = values | {name: group for name, group in groups.items() if "." not in name}
    return Measured(check(whole), Corpus.of(run), costs, sizes)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; 0 if there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
