"""Axes: from values to places on the paper, and the ticks between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stageformer.report.formats import short


@dataclass(frozen=True)
class Axis:
    """One axis of a chart; values from ``low`` to ``high`` stand between the places ``start`` and ``end``."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return where a value stands."""
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return values worth a tick, and their labels."""
        values = _log_ticks(self.low, self.high) if self.is_log else _linear_ticks(self.low, self.high)
        return [(value, short(value)) for value in values]


def axis_for(
    values: Sequence[float], start: float, end: float, *, is_log: bool = False, from_zero: bool = False,
    margin: float = 0.0,
) -> Axis:
    """Return an axis that holds all ``values``.

    Args:
        values: what it must hold.
        start: place of the smallest value.
        end: place of the largest value.
        is_log: logarithmic; all values are above 0.
        from_zero: 0 is on it.
        margin: room left at both ends, as a share of the range.
    """
    low, high = min(values), max(values)
    if is_log:
        factor = (high / low) ** margin if high > low else 2.0
        return Axis(low / factor, high * factor, start, end, is_log=True)
    room = (high - low) * margin or (0.0 if high > low else abs(high) * 0.1 or 1.0)
    low, high = low - room, high + room
    if from_zero:
        low, high = (0.0, high) if min(values) >= 0 else (low, max(high, 0.0))
    return Axis(low, high, start, end)


def _linear_ticks(low: float, high: float, about: int = 5) -> list[float]:
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if math.log10(high / low) > 2.5 else (1, 2, 5)
    values = [factor * 10.0**decade for decade in decades for factor in factors]
    return [value for value in values if low * 0.999 <= value <= high * 1.001]
