"""What stages cost: a part that is always there, and one that grows with their work, from runs that were measured.

Used by ``stageformer sweep --plan`` and ``stageformer plan``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.provenance.record import COST


@dataclass(frozen=True)
class Cost:
    """What one run of a stage took, as its ``cost.json`` has it."""

    seconds: float
    start_seconds: float
    """of ``seconds``, before any work; 0 where an earlier version did not write it"""
    processor_seconds: float | None
    """of a core; None where an earlier version did not write it"""
    peak_memory_mib: float | None

    @staticmethod
    def read(experiment: Experiment, stage: str) -> Cost | None:
        """Read it; None if the stage has left none. Raises StageformerError when the file is damaged."""
        path = f"reports/{stage}/{COST}"
        if experiment.read_bytes(path) is None:
            return None
        found: Any = experiment.read_json(path)
        values = [_number(found, name) for name in ("seconds", "start_seconds", "processor_seconds", "peak_memory_mib")]
        if values[0] is None:
            raise StageformerError(f"{experiment.name}: {path}: not as a stage writes it; run the stage {stage} again")
        return Cost(values[0], values[1] or 0.0, values[2], values[3])


def _number(found: object, name: str) -> float | None:
    value = found.get(name) if isinstance(found, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class Growth:
    """A cost that grows in proportion to work: ``fixed + each * work``. Neither part is negative."""

    fixed: float
    each: float

    def at(self, work: float) -> float:
        """Return the cost of so much work."""
        return self.fixed + self.each * work

    @staticmethod
    def of(points: Sequence[tuple[float, float]], fixed: float = 0.0) -> Growth:
        """Fit it to what was measured.

        Args:
            points: work and cost of each run, one at least.
            fixed: what is always there. Only used where all runs did the same work; otherwise the points tell.
        """
        works, costs = [work for work, _ in points], [cost for _, cost in points]
        mean_work, mean_cost = sum(works) / len(points), sum(costs) / len(points)
        spread = sum((work - mean_work) ** 2 for work in works)
        if not spread:
            fixed = min(fixed, mean_cost) if mean_work else mean_cost
            return Growth(fixed, (mean_cost - fixed) / mean_work if mean_work else 0.0)
        each = sum((work - mean_work) * (cost - mean_cost) for work, cost in points) / spread
        if each <= 0:
            return Growth(mean_cost, 0.0)
        if mean_cost < each * mean_work:  # the line would begin below 0
            return Growth(0.0, sum(work * cost for work, cost in points) / sum(work**2 for work in works))
        return Growth(mean_cost - each * mean_work, each)


def growth_of_seconds(runs: Iterable[tuple[float, Cost]]) -> Growth | None:
    """Return how the time of a stage grows, from the work and the cost of each run; None without a run."""
    found = list(runs)
    if not found:
        return None
    start = sum(cost.start_seconds for _, cost in found) / len(found)
    return Growth.of([(work, cost.seconds) for work, cost in found], start)
