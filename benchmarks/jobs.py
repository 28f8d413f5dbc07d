"""Jobs for a process of their own, in turns: what is compared alternates, so that a busy machine slows all alike."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.processes import run

Result = dict[str, Any]
"""What a worker measured, by name, with the ``peak_memory_mib`` of its process."""


@dataclass(frozen=True)
class Job:
    """What a worker is to measure."""

    system: str
    """one of the worker's systems; ``encode`` for encoding; ``machine`` for the machine alone"""
    configuration: str
    """one of ``CONFIGURATIONS``"""
    data: str
    """folder of the corpus"""
    threads: int
    """threads on the CPU"""
    batch_tokens: int
    """most tokens of a batch on either side, padding included"""
    precision: str = "fp32"
    """``fp32`` or ``bf16``"""
    changes: Mapping[str, object] = field(default_factory=dict)
    """further parameters of Stageformer, by their dotted names"""
    first: int = 0
    """number of the first batch"""
    updates: int = 1
    """number of batches"""
    profile: bool = False
    """whether to say which part takes how long, rather than how fast all is"""


def run_job(job: Job) -> Result:
    """Measure in a process of its own. Raises StageformerError when it fails."""
    finished = run(["-m", "benchmarks.worker", json.dumps(dataclasses.asdict(job))], job.threads)
    result: Result = json.loads(finished.output)
    return {"peak_memory_mib": finished.peak_memory_mib} | result


def updates_within(seconds: float, job: Job) -> int:
    """Return how many updates of this system take about so many seconds, after a look at a few: at least 2."""
    look = 3
    needed: float = run_job(dataclasses.replace(job, updates=look))["seconds"]
    return max(2, math.ceil(seconds * look / needed))


def alternate(jobs: Mapping[str, Job], rounds: int) -> dict[str, list[Result]]:
    """Run each job once a round, in turn; returns the results of each by its name.

    Each round has batches of its own, the next ones of the corpus, which are the same for all.
    """
    results: dict[str, list[Result]] = {name: [] for name in jobs}
    for number in range(rounds):
        for name, job in jobs.items():
            print(f"{job.configuration}, round {number + 1} of {rounds}: {name}", file=sys.stderr)
            results[name].append(run_job(dataclasses.replace(job, first=number * job.updates)))
    return results


def median(results: Sequence[Result], key: str) -> float:
    """Return the median of one figure over the rounds."""
    return float(statistics.median(result[key] for result in results))


def spread(results: Sequence[Result], key: str) -> str:
    """Return the smallest and the largest of one figure over the rounds."""
    values = [result[key] for result in results]
    return f"{min(values):,.0f} to {max(values):,.0f}"


def ratio(results: Sequence[Result], others: Sequence[Result], key: str) -> float:
    """Return the median over the rounds of a figure by the same figure of another system in the same round."""
    return float(statistics.median(one[key] / other[key] for one, other in zip(results, others, strict=True)))
