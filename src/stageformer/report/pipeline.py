"""The stages of ``dvc.yaml``, what each of them needs, and its cost and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.provenance.code import FOLDER
from stageformer.provenance.record import COST
from stageformer.report.files import read_object, read_yaml, typed


@dataclass(frozen=True)
class Stage:
    """One stage of one experiment."""

    name: str
    description: str
    needs: tuple[str, ...]
    """the stages whose outputs it reads"""
    seconds: float | None
    peak_memory_mib: float | None
    size: int | None
    """bytes of its outputs; None if ``dvc.lock`` does not know the stage"""
    hashes: tuple[tuple[str, str], ...]
    """path and hash of every output, by path"""


def read_stages(experiment: Experiment) -> list[Stage]:
    """Return the stages, each behind those that it needs, otherwise in the order of ``dvc.yaml``.

    Raises:
        StageformerError: there is no ``dvc.yaml``, it has no stages, or a file is damaged.
    """
    stages = _stages(experiment, "dvc.yaml")
    if not stages:
        raise StageformerError(f"{experiment.name}: dvc.yaml has no stages; give an experiment of this pipeline")
    lock = _stages(experiment, "dvc.lock")
    outputs = {name: _outputs(stage) for name, stage in stages.items()}
    needs = {name: _needs(name, stage.get("deps", []), outputs) for name, stage in stages.items()}
    found = []
    for name in _in_order(needs):
        locked = lock.get(name, {}).get("outs", [])
        path = f"reports/{name}/{COST}"
        cost = read_object(experiment, path) or {}
        typed(experiment, path, cost, seconds=(int, float), peak_memory_mib=(int, float))
        found.append(
            Stage(
                name=name,
                description=str(stages[name].get("desc") or ""),
                needs=needs[name],
                seconds=cost.get("seconds"),
                peak_memory_mib=cost.get("peak_memory_mib"),
                size=sum(out.get("size", 0) for out in locked) if name in lock else None,
                hashes=tuple(sorted((out["path"], str(out.get(out.get("hash", "md5")))) for out in locked)),
            )
        )
    return found


def _stages(experiment: Experiment, path: str) -> dict[str, Any]:
    stages = (read_yaml(experiment, path) or {}).get("stages")
    found = dict(stages) if isinstance(stages, Mapping) else {}
    for name, stage in found.items():
        outs = stage.get("outs") or [] if isinstance(stage, Mapping) else None
        of_lock = path == "dvc.lock"
        if not isinstance(outs, list) or (of_lock and not all(_is_locked(out) for out in outs)):
            raise StageformerError(f"{experiment.name}: {path}: the stage {name} is not as DVC writes it")
    return found


def _is_locked(out: object) -> bool:
    return isinstance(out, Mapping) and isinstance(out.get("path"), str) and isinstance(out.get("size", 0), int)


def _needs(name: str, deps: Sequence[str], outputs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the stages whose outputs a stage reads. Its manifest counts only if it reads nothing else."""

    def writers(paths: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            other for other, outs in outputs.items()
            if other != name and any(_overlap(path, out) for path in paths for out in outs)
        )

    return writers([path for path in deps if not path.startswith(f"{FOLDER}/")]) or writers(deps)


def _outputs(stage: Mapping[str, Any]) -> list[str]:
    """What a stage writes: an entry is a path, or a mapping of one path to its options."""
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return [path for entry in entries for path in ([entry] if isinstance(entry, str) else entry)]


def _overlap(dependency: str, output: str) -> bool:
    """Whether one of two paths is the other, or a folder that holds it."""
    one, other = f"{dependency.rstrip('/')}/", f"{output.rstrip('/')}/"
    return one.startswith(other) or other.startswith(one)


def _in_order(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 0  # a cycle, which DVC forbids, ends here
            depths[name] = max((depth(other) + 1 for other in needs[name]), default=0)
        return depths[name]

    return sorted(needs, key=depth)
