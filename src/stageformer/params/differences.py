"""What two sets of parameters differ in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """One parameter that two sets of parameters hold different values of."""

    key: str
    old: object
    new: object

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON has it; of a parameter that is absent on one side, without that side's value."""
        sides = {"old": self.old, "new": self.new}
        return {"parameter": self.key} | {side: value for side, value in sides.items() if value is not ABSENT}

    def __str__(self) -> str:
        return f"{self.key}: {show(self.old)} -> {show(self.new)}"


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Return the parameters that differ, in the order of ``new``, then those that only ``old`` has."""
    before, after = dict(leaves(old)), dict(leaves(new))
    keys = [*after, *(key for key in before if key not in after)]
    pairs = ((key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys)
    # repr: 1 and 1.0 and true are three values here, though equal in Python.
    return [Difference(*pair) for pair in pairs if repr(pair[1]) != repr(pair[2])]


def show(value: object) -> str:
    """Return a value as ``params.yaml`` spells it, near enough for reading."""
    if isinstance(value, list):
        return f"[{', '.join(show(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted name of each parameter of nested groups, and its value."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
