"""The experiments of a sweep: which are there, what the others will cost, and running them by ``dvc exp run --temp``.

An experiment counts as there if parameters, code and corpus are those that it would have now, whatever was committed
since. Everything else is left to DVC: it runs in a copy, what stages share comes from the run cache, and a training
that was killed goes on from its checkpoint.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stageformer.artifacts.scratch import scratch_folder
from stageformer.console.output import say
from stageformer.errors import StageformerError
from stageformer.experiments.cache import listing
from stageformer.experiments.contents import read_parameters
from stageformer.experiments.costs import Cost, Growth, growth_of_seconds
from stageformer.experiments.experiment import Experiment
from stageformer.experiments.missing import LOCK
from stageformer.experiments.status import PIPELINE, manifest_md5
from stageformer.experiments.sweep import Run, Sweep
from stageformer.experiments.work import training_time
from stageformer.params.differences import compare, leaves, show
from stageformer.params.groups import check
from stageformer.params.reading import parse_yaml, read_yaml
from stageformer.provenance.code import FOLDER as MANIFESTS
from stageformer.provenance.code import manifests

TARGET = "evaluate"
"""The last stage that a sweep runs."""
_UNRECORDED = ("logging.",)
"""Parameters that no output depends on."""


@dataclass(frozen=True)
class StagePlan:
    """A stage in the experiments that are to be run."""

    name: str
    runs: int
    """how often it has to run: once for all experiments with the same inputs, and not where a finished one has them"""
    seconds: float | None
    """of one run, as ``cost.json`` has it, a training in proportion to its arithmetic; None: it has not run here yet"""


@dataclass(frozen=True)
class Plan:
    """What is left of a sweep."""

    experiments: int
    missing: int
    stages: list[StagePlan]

    @property
    def seconds(self) -> float | None:
        """Of everything that is to be run; None where the cost of a stage is not known."""
        costs = [stage.runs * stage.seconds for stage in self.stages if stage.runs and stage.seconds is not None]
        return sum(costs) if len(costs) == sum(bool(stage.runs) for stage in self.stages) else None


class Manifests:
    """The code manifests of any parameters. They depend on kinds alone, which are texts: few differ in a sweep."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, dict[str, str]] = {}

    def of(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the md5 of the manifest of every stage."""
        key = repr([(name, value) for name, value in leaves(values) if not isinstance(value, int | float)])
        if key not in self._known:
            self._known[key] = {name: manifest_md5(text) for name, text in manifests(self._root, values).items()}
        return self._known[key]


def find_finished(sweep: Sweep, root: Path) -> dict[str, Experiment]:
    """Return the experiments of a sweep that are there, by name.

    Raises:
        StageformerError: DVC cannot read the repository.
    """
    code, corpus, stages = Manifests(root), _md5(listing(root / "corpus")), _Pipeline.of(root).names
    listed = _listed(root)
    finished = {}
    for run in sweep.runs:
        for commit in listed.get(run.name, []):
            experiment = Experiment.at(run.name, root, commit)
            if _is_of(experiment, run, stages, code.of(run.values), corpus):
                finished[run.name] = experiment
                break
    return finished


def _listed(root: Path, rev: str | None = None) -> dict[str, list[str]]:
    """Return the commits of all experiments by name: those that began at ``rev``, or at any commit."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    commits: dict[str, list[str]] = {}
    try:
        with Repo(str(root)) as repo:
            found = repo.experiments.ls(rev=rev) if rev else repo.experiments.ls(all_commits=True)
    except DvcException as error:
        raise StageformerError(f"{root}: {error}") from None
    for experiments in found.values():
        for name, commit in experiments:
            if commit:
                commits.setdefault(name, []).append(commit)
    return commits


def _is_of(experiment: Experiment, run: Run, needed: Sequence[str], code: Mapping[str, str], corpus: str) -> bool:
    """Say whether an experiment has the parameters, the code and the corpus that ``run`` would have now."""
    differences = compare(read_parameters(experiment), run.values)
    if any(not difference.key.startswith(_UNRECORDED) for difference in differences):
        return False
    content = experiment.read_bytes(LOCK)
    stages: Any = parse_yaml(content, f"{experiment.name}: {LOCK}").get("stages") if content else None
    if not isinstance(stages, Mapping):
        return False
    for stage in needed:
        locked = {dep["path"]: str(dep.get("md5")) for dep in (stages.get(stage) or {}).get("deps") or []}
        if locked.get(f"{MANIFESTS}/{stage}.txt") != code[stage]:
            return False
        if "corpus" in locked and locked["corpus"].removesuffix(".dir") != corpus:
            return False
    return True


@dataclass(frozen=True)
class _Pipeline:
    """The stages up to the target, in order: what each reads."""

    parameters: dict[str, list[str]]
    before: dict[str, list[str]]
    """by stage, those whose outputs it reads"""

    @property
    def names(self) -> list[str]:
        return list(self.parameters)

    @staticmethod
    def of(root: Path) -> _Pipeline:
        stages: Any = read_yaml(root / PIPELINE)["stages"]
        made: dict[str, str] = {}
        for name, stage in stages.items():
            for kind in ("outs", "metrics", "plots"):
                made |= {out if isinstance(out, str) else next(iter(out)): name for out in stage.get(kind, [])}
        before = {
            name: list(dict.fromkeys(
                maker for dep in stage["deps"] for out, maker in made.items()
                if maker != "check" and (dep == out or out.startswith(f"{dep}/") or dep.startswith(f"{out}/"))
            ))
            for name, stage in stages.items()
        }  # fmt: skip
        needed, left = set(), [TARGET]
        while left:
            name = left.pop()
            needed.add(name)
            left += [other for other in before[name] if other not in needed]
        return _Pipeline(
            {name: stage.get("params", []) for name, stage in stages.items() if name in needed},
            {name: before[name] for name in stages if name in needed},
        )

    def keys(self, values: Mapping[str, Any], code: Mapping[str, str]) -> dict[str, str]:
        """Return what identifies the work of each stage: its parameters, its code, and the work of those before it."""
        found: dict[str, str] = {}
        for name, names in self.parameters.items():
            own = [(key, value) for key, value in leaves(values) if any(f"{key}.".startswith(f"{n}.") for n in names)]
            found[name] = _md5(repr([own, code[name], [found[other] for other in self.before[name]]]).encode())
        return found


def make_plan(sweep: Sweep, finished: Mapping[str, Experiment], root: Path) -> Plan:
    """Say what is left to run, and how long it will take: by ``cost.json`` of this folder and of what has finished."""
    pipeline, code = _Pipeline.of(root), Manifests(root)
    done: set[str] = set()
    left: dict[str, set[str]] = {name: set() for name in pipeline.names}
    work: dict[str, float] = {}
    for run in sweep.runs:
        keys = pipeline.keys(run.values, code.of(run.values))
        if run.name in finished:
            done |= set(keys.values())
        else:
            for name, key in keys.items():
                left[name].add(key)
                work[key] = _work(run.values, name)
    costs = _seconds(root, finished.values())
    stages = []
    for name, keys_left in left.items():
        todo = keys_left - done
        seconds = [costs[name].at(work[key]) for key in todo if name in costs]
        mean = sum(seconds) / len(seconds) if seconds else None
        stages.append(StagePlan(name, len(todo), mean))
    return Plan(len(sweep.runs), len(sweep.runs) - len(finished), stages)


def _seconds(root: Path, experiments: Iterable[Experiment]) -> dict[str, Growth]:
    """Return how the time of each stage grows: by what has finished, or if nothing has, by this folder."""
    found: dict[str, list[tuple[float, Cost]]] = {}
    for experiment in list(experiments) or [Experiment.open("workspace", root)]:
        values = read_parameters(experiment)
        for name in _Pipeline.of(root).names:
            cost = Cost.read(experiment, name)
            if cost is not None:
                found.setdefault(name, []).append((_work(values, name), cost))
    return {name: growth for name, costs in found.items() if (growth := growth_of_seconds(costs))}


def _work(values: Mapping[str, Any], stage: str) -> float:
    """Return the work of a training; 1 of other stages, which take the same time in every row."""
    return training_time(check(values), stage) if stage in ("train_encoder", "train_decoder") else 1.0


def run_one(run: Run, root: Path, progress: str) -> Experiment:
    """Run an experiment in a copy, as ``dvc exp run --temp`` does, and return it.

    Args:
        run: what to run
        root: of the repository
        progress: what the lines on standard error begin with

    Raises:
        StageformerError: a stage failed; the message names the file that has all that was printed.
    """
    if run.name in _listed(root, "HEAD"):  # of other parameters or other code
        _dvc(root, "exp", "remove", run.name)
    log = scratch_folder() / "sweeps" / f"{run.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    workspace = read_yaml(root / "params.yaml")
    settings = [part for one in overrides(workspace, run.values) for part in ("-S", one)]
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", run.name, *settings, TARGET]
    with log.open("w", encoding="utf-8") as file, subprocess.Popen(
        command, cwd=root, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="backslashreplace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            file.flush()
            if (found := re.match(r"Running stage '(\w+)'", line)) and found[1] != "check":
                say(f"{progress}: {found[1]}")
    if process.returncode:
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
        last = lines[-1].removeprefix("ERROR: ") if lines else "it said nothing"
        reason = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), last)
        raise StageformerError(f"{run.name} failed: {reason}; see {log}")
    commits = _listed(root, "HEAD").get(run.name)
    if not commits:
        raise StageformerError(f"{run.name}: DVC made no experiment of this name; see {log}")
    experiment = Experiment.at(run.name, root, commits[0])
    if different := compare(run.values, read_parameters(experiment)):
        raise StageformerError(f"{run.name}: DVC changed a parameter on the way: {different[0]}; see {log}")
    return experiment


def overrides(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield what ``dvc exp run -S`` needs to turn the parameters ``old`` into ``new``."""
    for key in old:
        if key not in new:
            yield f"~{prefix}{key}"
    for key, value in new.items():
        if isinstance(value, Mapping) and isinstance(old.get(key), Mapping):
            yield from overrides(old[key], value, f"{prefix}{key}.")
        elif key not in old or repr(old[key]) != repr(value):
            yield f"++{prefix}{key}={_literal(value)}"


def _literal(value: object) -> str:
    """Return a value in the grammar of Hydra, which DVC reads settings by."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    return show(value) if value is None or isinstance(value, bool) else repr(value)


def _dvc(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments]
    run = subprocess.run(command, cwd=root, env=_environment(), capture_output=True, text=True, check=False)
    if run.returncode:
        message = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise StageformerError(f"`dvc {' '.join(arguments)}` failed: {message.removeprefix('ERROR: ')}")


def _environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"DVC_NO_ANALYTICS": "1", "PATH": path}


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
