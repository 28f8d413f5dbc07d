"""What is counted of each side while a table is worked on: the counts of a table are the sum of those of its parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import Any, Generic, Self, TypeVar

SIDES = ("source", "target")


@dataclass
class SideCounts:
    """The counts of one side; a stage adds fields of its own: numbers (None: not counted), counters and sets."""

    tokens: int = 0

    def add(self, other: Self) -> None:
        """Add the counts of the next part."""
        for field in fields(self):
            setattr(self, field.name, _sum(getattr(self, field.name), getattr(other, field.name)))


def _sum(total: Any, part: Any) -> Any:
    if isinstance(total, Counter | set):
        total.update(part)
        return total
    return total if part is None else (total or 0) + part


C = TypeVar("C", bound=SideCounts)


@dataclass
class BySide(Generic[C]):
    """The counts of both sides."""

    sides: dict[str, C]

    def add(self, other: Self) -> None:
        """Add the counts of the next part."""
        for side in SIDES:
            self.sides[side].add(other.sides[side])


def ratio(part: int, whole: int) -> float:
    """Return a share, rounded for the report; 0 of nothing."""
    return round(part / whole, 6) if whole else 0.0
