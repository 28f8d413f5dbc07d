"""What a run will take, stage by stage: time, memory and disk, and what does not fit.

Time and disk grow with the work of a stage (``experiments/work.py``) as they did in the runs that were measured; the
disk of the memory store follows from its tokens alone. Memory grows with the corpus by :data:`BYTES_OF_A_PAIR`, and in
a training by the ids of the corpus and, from run to run, as the estimate of ``compute/estimate.py`` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stageformer.compute.disk import ITEM_BYTES
from stageformer.compute.estimate import culprit, estimate
from stageformer.experiments.costs import Growth, growth_of_seconds
from stageformer.experiments.work import Corpus, Work, work_of
from stageformer.params.base import Params
from stageformer.params.groups import Parameters
from stageformer.planning.measured import Measured

BYTES_OF_A_PAIR: Mapping[str, int] = {"ingest": 15, "tokenize": 38, "vocab": 16, "encode": 16}
"""Memory that a stage needs beyond its start, for each pair (docs/scaling.md)."""
BYTES_OF_AN_ID = 4
BYTES_OF_A_SENTENCE = 20
"""On either side of a pair that a training holds: where it begins, in two tables."""
PARALLEL = ("train_encoder", "encode", "train_decoder")
"""The stages that several processes, machines and GPUs share."""
GPU_OPERATIONS = 2e13
"""Operations of a GPU in a second, as assumed: about a third of what one H100 or H200 states for fp32."""
GPU_SECONDS_OF_AN_UPDATE = 0.025
"""The least time of an update on a GPU, to start its kernels: 0.023 to 0.036 s on one H200 (docs/scaling.md)."""

_SMALLER: Sequence[tuple[str, object]] = (
    ("encode.dropout_copies", 0), ("encode.layers", "last"), ("encode.dtype", "float16"), ("train_encoder.way", "joint")
)
"""Parameters that make the memory smaller, those that cost least quality first."""


@dataclass(frozen=True)
class Machines:
    """Where a run is planned: machines that are all alike."""

    count: int = 1
    gpus: int = 0
    """in each"""
    memory: int | None = None
    """bytes of each; None: unknown"""
    disk: int | None = None
    """bytes that are free on each; None: unknown"""
    cores: int = os.cpu_count() or 1


@dataclass(frozen=True)
class StageForecast:
    """What a stage will take."""

    name: str
    rows: int
    tokens: int
    seconds: float
    processor_seconds: float | None
    """of a core; None where the runs before did not say, or GPUs compute"""
    peak_memory: float | None
    """bytes, of one process; None where the system does not report it"""
    disk: float
    """bytes of its outputs"""


@dataclass(frozen=True)
class Forecast:
    """What a run will take."""

    corpus: Corpus
    machines: Machines
    stages: list[StageForecast]
    epochs: dict[str, float]
    """by training, how often it sees each pair of train"""
    misfits: list[str]
    """what does not fit, and which parameter to change; none: all of it fits"""

    @property
    def seconds(self) -> float:
        """Of all stages, one after the other."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def disk(self) -> float:
        """Bytes of all outputs."""
        return sum(stage.disk for stage in self.stages)


def forecast(
    parameters: Parameters, corpus: Corpus, runs: Sequence[Measured], machines: Machines, stages: Iterable[str]
) -> Forecast:
    """Say what a run will take.

    Args:
        parameters: of the run.
        corpus: what it reads.
        runs: which were measured on one machine like these, one at least.
        machines: where it runs.
        stages: of the run.
    """
    work = work_of(parameters, corpus)
    found = [
        StageForecast(
            name, work[name].rows, work[name].tokens, *_time(name, work[name], parameters, runs, machines),
            _memory(name, parameters, corpus, runs[-1]), _disk(name, work[name], runs),
        )
        for name in stages
    ]  # fmt: skip
    epochs = {
        name: work[name].rows / max(1, corpus.rows["train"])
        for name in ("train_encoder", "train_decoder")
        if work[name].time
    }
    return Forecast(corpus, machines, found, epochs, _misfits(found, parameters, corpus, machines))


def _time(
    name: str, work: Work, parameters: Parameters, runs: Sequence[Measured], machines: Machines
) -> tuple[float, float | None]:
    measured = [(work_of(run.parameters, run.corpus)[name].time, run.costs[name]) for run in runs]
    growth = growth_of_seconds(measured)
    assert growth is not None
    seconds = growth.at(work.time)
    if name in PARALLEL and machines.gpus:
        shared = work.time / (GPU_OPERATIONS * machines.count * machines.gpus)
        training = None if name == "encode" else getattr(parameters, name).training
        least = training.max_updates * GPU_SECONDS_OF_AN_UPDATE if training and work.time else 0.0
        return growth.fixed + max(shared, least), None
    if name in PARALLEL:
        seconds = growth.fixed + growth.each * work.time / machines.count
    known = [(time, cost.processor_seconds) for time, cost in measured if cost.processor_seconds is not None]
    if len(known) < len(measured):
        return seconds, None
    start = sum(cost.start_seconds for _, cost in measured) / len(measured)
    return seconds, Growth.of(known, start).at(work.time)


def _disk(name: str, work: Work, runs: Sequence[Measured]) -> float:
    if name == "encode":
        return work.disk
    return Growth.of([(work_of(run.parameters, run.corpus)[name].disk, run.sizes[name]) for run in runs]).at(work.disk)


def _memory(name: str, parameters: Parameters, corpus: Corpus, run: Measured) -> float | None:
    peak = run.costs[name].peak_memory_mib
    if peak is None:
        return None
    found = peak * 2**20
    if name in ("train_encoder", "train_decoder"):
        ratio = (
            estimate(parameters, corpus.vocabulary)[name] / estimate(run.parameters, run.corpus.vocabulary)[name]
        )
        return (found - _ids(run.corpus)) * ratio + _ids(corpus)
    if name == "encode":
        found += _shard(parameters, corpus) - _shard(run.parameters, run.corpus)
    pairs, before = (sum(each.rows.values()) for each in (corpus, run.corpus))
    if name == "ingest":
        pairs, before = corpus.read, run.corpus.read
    return found + BYTES_OF_A_PAIR.get(name, 0) * (pairs - before)


def _ids(corpus: Corpus) -> float:
    """Return the bytes of the sentences that a training holds in memory."""
    held = ("train", "valid")
    tokens = sum(corpus.source_tokens[split] + corpus.target_tokens[split] for split in held)
    rows = sum(corpus.rows[split] for split in held)
    return BYTES_OF_AN_ID * (tokens + 3 * rows) + 2 * BYTES_OF_A_SENTENCE * rows  # <eos>, <bos>, <eos>


def _shard(parameters: Parameters, corpus: Corpus) -> float:
    """Return the bytes of a shard of the memory, which is held twice while it is written."""
    tokens = min(parameters.encode.shard_tokens, max(corpus.memory_tokens.values()))
    return 2.0 * tokens * parameters.embed.d_model * ITEM_BYTES[parameters.encode.dtype]


def _misfits(
    stages: Sequence[StageForecast], parameters: Parameters, corpus: Corpus, machines: Machines
) -> list[str]:
    found = []
    for stage in stages:
        if machines.memory is None or stage.peak_memory is None or stage.peak_memory <= machines.memory:
            continue
        what = f"{stage.name} needs {_size(stage.peak_memory)} of memory, and a machine has {_size(machines.memory)}"
        found.append(f"{what}: {_remedy_of_memory(stage.name, parameters, corpus, machines)}")
    if machines.disk is not None:
        needed, there = sum(stage.disk for stage in stages), machines.disk * machines.count
        if needed > there:
            what = f"the outputs need {_size(needed)} of disk, and {_size(there)} are free"
            found.append(f"{what}: {_remedy_of_disk(needed - there, parameters, corpus)}")
    return found


def _remedy_of_memory(stage: str, parameters: Parameters, corpus: Corpus, machines: Machines) -> str:
    assert machines.memory is not None
    if stage == "ingest" and parameters.ingest.drop_duplicates:
        return "it holds a hash of each pair; `ingest.drop_duplicates: false`, a larger machine, or fewer pairs"
    if stage in ("train_encoder", "train_decoder"):
        if _ids(corpus) > machines.memory / 2:
            return "each process holds the ids of the corpus; a larger machine, or fewer pairs"
        return f"lower {culprit(parameters, stage)}"
    if stage == "encode" and _shard(parameters, corpus) > machines.memory / 2:
        return "lower encode.shard_tokens"
    return "a larger machine, or fewer pairs"


def _remedy_of_disk(excess: float, parameters: Parameters, corpus: Corpus) -> str:
    """Name the first change of one parameter that saves as much, or the one that saves most."""
    now = work_of(parameters, corpus)["encode"].disk
    best, saved = "", 0.0
    for name, value in _SMALLER:
        changed = _with(parameters, name, value)
        less = now - work_of(changed, corpus)["encode"].disk
        text = f"`{name}: {value}` saves {_size(less)}"
        if less >= excess:
            return text
        if less > saved:
            best, saved = text, less
    return f"{best}, and that is not enough; more disk, or fewer pairs" if best else "more disk, or fewer pairs"


def _with(parameters: Parameters, name: str, value: object) -> Parameters:
    """Return parameters with one of them changed; whether they fit together is not asked."""
    group, _, key = name.partition(".")
    old: Params = getattr(parameters, group)
    return parameters.model_copy(update={group: old.model_copy(update={key: value})})


def _size(num_bytes: float) -> str:
    for unit, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB")):
        if num_bytes >= unit:
            return f"{num_bytes / unit:,.1f} {name}"
    return f"{num_bytes / 2**10:,.1f} KiB"
