"""The rates of this machine, from two small runs of the stages themselves, where no earlier run tells them.

The runs are on samples of the corpus. A pair is in a sample if a hash of its source is small: so equal pairs, and pairs
of equal sources, are in it together, and a sample has as large a share of duplicates, leaks and further references as
the corpus. Trainings make a few updates, and translations may not be longer than their source, since an untrained model
does not know where to end.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stageformer.artifacts.header import SPLITS
from stageformer.console.output import say
from stageformer.corpus.filters import fold
from stageformer.corpus.hashes import hashes
from stageformer.corpus.ingest import open_corpus
from stageformer.corpus.sources.base import Record, Rejected
from stageformer.errors import StageformerError
from stageformer.experiments.costs import Cost
from stageformer.experiments.experiment import WORKSPACE, Experiment
from stageformer.experiments.work import Corpus, training_time
from stageformer.params.groups import Parameters, check
from stageformer.params.render import render
from stageformer.planning.measured import Measured, size_of
from stageformer.text.normalisation import normalise

PAIRS = (1_000, 8_000)
"""In the two samples, about; of a smaller corpus, an eighth and all of it."""
FEWEST = 100
"""Pairs of a sample, if the corpus has as many."""
OPERATIONS = 5e11
"""Of a training in the larger run, about: some seconds on two cores."""
_NOT_LINKED = {".dvc", ".git", ".venv", "data", "dvc.lock", "logs", "params.yaml", "reports"}


@dataclass(frozen=True)
class Sample:
    """Some records of a source of the corpus."""

    read: int
    """records in the source, those that are no pairs included"""
    pairs: int
    """of them, pairs"""
    records: list[tuple[int, Record]]
    """of them, those of the sample, with their hashes"""

    @staticmethod
    def of(source: Iterable[Record | Rejected], most: int) -> Sample:
        """Read a source once, and keep about as many of its pairs, at most twice as many."""
        read, pairs, limit = 0, 0, 2**64
        kept: list[tuple[int, Record]] = []
        for record in source:
            read += 1
            if isinstance(record, Rejected):
                continue
            pairs += 1
            key = int(hashes([(fold(normalise(record.source)),)])[0])
            if key < limit:
                kept.append((key, record))
                if len(kept) > 2 * most:
                    limit = sorted(key for key, _ in kept)[most]
                    kept = [(key, record) for key, record in kept if key < limit]
        return Sample(read, pairs, kept)

    def part(self, most: int) -> Sample:
        """Return a smaller sample."""
        keys = sorted(key for key, _ in self.records)
        limit = keys[most] if most < len(keys) else 2**64
        return Sample(self.read, self.pairs, [(key, record) for key, record in self.records if key < limit])

    @property
    def factor(self) -> float:
        """How many rows of the whole corpus a row that comes from the sample stands for."""
        weight = sum(record.weight for _, record in self.records) / max(1, len(self.records))
        return weight * self.pairs / max(1, len(self.records))


def calibrate(parameters: Parameters, root: Path, stages: Sequence[str]) -> tuple[list[Measured], Corpus]:
    """Run the stages on two samples of the corpus.

    Args:
        parameters: for which a run is planned.
        root: of the repository.
        stages: which to run.

    Returns:
        Both runs, and how large the whole corpus is, as the larger one tells.

    Raises:
        StageformerError: the corpus cannot be read, has too few pairs, or a stage fails on them.
    """
    say("plan: reading the corpus")
    corpus = open_corpus(parameters.ingest, root / ".cache")
    sources = {split: Sample.of(source, PAIRS[1]) for split, source in corpus.items()}
    runs = []
    for most in PAIRS:
        there = len(sources["train"].records)
        size = min(most, max(there * most // PAIRS[1], FEWEST))
        samples = {split: sample.part(size) for split, sample in sources.items()}
        say(f"plan: running the stages on {len(samples['train'].records):,} pairs, to see what this machine can do")
        with TemporaryDirectory(prefix="stageformer-plan-") as folder:
            runs.append(_run(parameters, samples, most / PAIRS[1], root, Path(folder), stages))
    factors = {split: samples[split if split in samples else "train"].factor for split in SPLITS}
    read = sum(sample.read for sample in sources.values())
    return runs, runs[-1].corpus.scaled(factors, read)


def _run(
    parameters: Parameters, samples: Mapping[str, Sample], share: float, root: Path, folder: Path,
    stages: Sequence[str],
) -> Measured:  # fmt: skip
    values = sample_values(parameters, samples, share)
    for path in root.absolute().iterdir():
        if path.name not in _NOT_LINKED:
            (folder / path.name).symlink_to(path)
    for split, sample in samples.items():
        lines = (
            json.dumps({"source": record.input, "target": record.target, "group": record.group})
            for _, record in sample.records
        )
        (folder / f"sample-{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "params.yaml").write_text(render(Parameters, values), encoding="utf-8")
    paths = [str(root.absolute()), str(root.absolute() / "src"), os.environ.get("PYTHONPATH", "")]
    variables = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)), "STAGEFORMER_SCRATCH": str(folder / "scratch"),
    }  # fmt: skip
    for stage in stages:
        command = [sys.executable, "-m", f"stages.{stage}"]
        run = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False,
                             errors="backslashreplace")  # fmt: skip
        if run.returncode:
            said = [line for line in run.stderr.splitlines() if line.strip()] or ["it said nothing"]
            number = len(samples["train"].records)
            raise StageformerError(
                f"plan: {stage} failed on {number:,} pairs of the corpus, which it was tried with: "
                f"{said[-1].removeprefix('error: ')}"
            )
    done = Experiment.open(WORKSPACE, folder)
    costs = {stage: cost for stage in stages if (cost := Cost.read(done, stage)) is not None}
    sizes = {stage: size_of(folder / "data" / stage) for stage in stages}
    return Measured(check(values), Corpus.of(done), costs, sizes)


def sample_values(parameters: Parameters, samples: Mapping[str, Sample], share: float) -> dict[str, Any]:
    """Return the parameters of a run on samples: as they are, but for the corpus, the updates and the lengths.

    Args:
        parameters: for which a run is planned.
        samples: of each source of the corpus.
        share: of the updates that the larger of the runs makes.
    """
    values = copy.deepcopy(parameters.model_dump())
    has_groups = any(record.group for sample in samples.values() for _, record in sample.records)
    values["ingest"] |= {"source": "jsonl", "labels": "none", "min_kept": 0.0}
    values["ingest"]["files"] |= {
        **{split: [f"sample-{split}.jsonl"] if split in samples else [] for split in SPLITS},
        "tags": [], "weights": [], "source_column": "source", "label_column": None,
        "target_column": "target" if parameters.ingest.has_targets else None,
        "group_column": "group" if has_groups else None,
    }  # fmt: skip
    # Vectors of others may have to be asked for, and cost money.
    values["embed"]["source"] = {"kind": "random", "distribution": "normal"}
    for stage in ("train_encoder", "train_decoder"):
        training = values[stage]["training"]
        each = training_time(parameters, stage) / training["max_updates"]
        updates = max(2, round(share * min(60, max(8, OPERATIONS / each if each else 8))))
        training |= {
            "max_updates": updates, "validate_every": updates, "warmup_updates": 0, "keep": "last",
            "average_checkpoints": 1, "patience": None,
        }  # fmt: skip
    values["translate"] |= {"max_length_ratio": 1.0, "max_length_offset": 1, "min_length_ratio": 0.0}
    values["logging"]["loggers"] = []
    return values
